//! The command line as people and scripts meet it.

use clap::{CommandFactory, Parser};

use super::arguments::Arguments;

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(line.split(' '))
}

#[test]
fn the_command_line_is_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn global_flags_work_anywhere() {
    for line in [
        "factoryctl --socket /s --json run x hello",
        "factoryctl run --socket /s x --json hello",
        "factoryctl tasks ls --json --socket=/s",
        "factoryctl tasks --json --socket /s ls",
    ] {
        let arguments = parse(line).expect(line);
        assert!(arguments.json && arguments.socket == Some("/s".into()), "{line}");
    }
}

#[test]
fn every_verb_of_the_contract_is_understood() {
    for line in [
        "run x -",
        "run x --file F --detach --budget 0.05 --idempotency-key K --tenant T --user U",
        "run x text --stream --timeout 30s",
        "status",
        "tree",
        "events",
        "events -f",
        "agents create x --name n",
        "agents ls --limit 5 --after a",
        "agents show a",
        "agents stop a",
        "tasks ls",
        "tasks show t",
        "tasks events t -f",
        "tasks cancel t",
        "tasks feedback t 0.5 --comment c",
        "templates ls",
        "templates show x",
        "templates history x",
        "templates new x --dir d --kind agent --extends base --prompt p --route r --key k.pem --try text",
        "templates new x --kind orchestrator --worker w --prompt-file -",
        "templates schema",
        "templates diff x",
        "templates diff x 1.0.0 file",
        "templates rollback x 1.0.0",
        "templates rollback x --digest 01234567",
        "templates rollback x --lift",
        "templates show x --version 1.0.0",
        "templates validate a.json b.json",
        "templates sign a.json b.json --key release.pem",
        "templates verify a.json --keys dir",
        "templates verify a.json --legacy-key old.pub.pem",
        "keys generate release --out dir --algorithm rsa",
        "keys ls --dir dir",
        "keys ls --keys dir --legacy-key old.pub.pem",
        "keys revoke release --key admin.pem --dir dir --reason stolen",
        "keys revoke ./found.pub.pem --key admin.pem",
        "budgets ls",
        "budgets show global",
        "budgets set tenant:acme 2.00 --window month",
        "dlp scan",
        "backup b.zst",
        "restore b.zst --config f.toml --data-dir d",
        "dlp scan -",
        "dlp rules",
        "dlp check dlp.toml",
        "bench agents --template x --connections 64 --count 10",
        "bench tasks --duration 10s",
        "bench gateway --connections 64 --count 10 --rate 500 --factoryd ./factoryd",
        "bench gateway --template x --duration 10s",
        "completions bash",
        "man dir",
    ] {
        parse(&format!("factoryctl {line}")).expect(line);
    }
}

#[test]
fn what_makes_no_sense_is_a_usage_error_that_says_what_would() {
    let cases = [
        ("no-such-verb", "unrecognized subcommand"),
        ("run x text --file F", "cannot be used with"),
        ("run x text --budget=-1", "not a decimal amount"),
        ("run x text --budget 1e3", "not a decimal amount"),
        ("run x text --timeout soon", "--timeout"),
        ("run x text --detach --stream", "cannot be used with"),
        ("tasks feedback t 2", "a number from 0 to 1"),
        ("budgets set acme 1", "not a budget scope"),
        ("budgets set global 1 --window week", "day, month or total"),
        ("bench agents --connections 0", "1 to 1024"),
        ("bench agents --count 1 --duration 1s", "cannot be used with"),
        ("bench gateway --rate 0", "1..=100000"),
        ("bench gateway --template x --factoryd y", "cannot be used with"),
        ("agents ls --limit 0", "1 to 1000"),
    ];
    for (line, says) in cases {
        let error = parse(&format!("factoryctl {line}")).expect_err(line);
        assert!(error.use_stderr() && error.exit_code() == 2, "{line}");
        assert!(error.to_string().contains(says), "{line}: {error}");
    }
}

#[test]
fn help_has_examples_for_every_verb() {
    fn check(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        let verbs: Vec<_> = command.get_subcommands().filter(|verb| verb.get_name() != "help").collect();
        for verb in &verbs {
            check(verb, &path);
        }
        if verbs.is_empty() {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.starts_with("Example"), "{path} has no example");
            assert!(after.contains("factoryctl "), "{path}");
        }
    }
    check(&Arguments::command(), "");
}

#[test]
fn help_names_exit_codes_and_the_socket() {
    let help = Arguments::command().render_help().to_string();
    for part in
        ["3 refused by a rule", "NG_SOCKET", "/run/factoryd/control.sock", "--json", "run", "bench", "completions"]
    {
        assert!(help.contains(part), "{part}: {help}");
    }
}
