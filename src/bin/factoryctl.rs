//! `factoryctl`: the command line of the factory. Everything is in `agent_factory::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    agent_factory::cli::main(std::env::args_os())
}
