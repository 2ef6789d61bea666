//! The daemon: arguments, settings, build, run, exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use agent_factory::app::{self, Daemon};
use agent_factory::cli::quickstart;
use agent_factory::config::settings::{LogFormat, Settings};
use agent_factory::config::{self, Overrides, Sources};
use agent_factory::data_plane::dlp::rules;
use agent_factory::telemetry::logs::{self, Destination, Format};
use agent_factory::telemetry::metrics::Metrics;
use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use listenfd::ListenFd;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Everything went as it should.
const DONE: u8 = 0;
/// The daemon failed.
const FAILED: u8 = 1;
/// The command line or the settings are wrong.
const WRONG: u8 = 2;

#[derive(Parser)]
#[command(
    version,
    about,
    after_help = "Examples:\n  factoryd quickstart\n  factoryd --config /etc/agent-factory/factoryd.toml\n  factoryd --config factoryd.toml --check-config\n\nSignals: SIGTERM and SIGINT drain and stop, a second one at once; SIGHUP re-reads access, certificates, limits, prices, routes, the master key and DLP rules.\nExit codes: 0 done, 1 failed, 2 wrong usage or settings."
)]
struct Arguments {
    /// The settings file; /etc/agent-factory/factoryd.toml is used where it exists and none is named.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The control socket.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Where everything durable lives.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where templates are read from and watched.
    #[arg(long, value_name = "DIR")]
    templates_dir: Option<PathBuf>,
    /// How log lines look; what the settings say where it is not given.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogStyle>,
    /// Validates the settings, says what they come to, and exits.
    #[arg(long)]
    check_config: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogStyle {
    Text,
    Json,
}

#[derive(Subcommand)]
enum Verb {
    /// Shows the whole path on a real file with a private daemon, and leaves nothing behind.
    Quickstart {
        /// Prints one JSON document.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Verb::Quickstart { json }) = arguments.verb {
        return show_around(json);
    }
    let sources = sources(&arguments);
    let settings = match config::load(&sources) {
        Ok(settings) => settings,
        Err(mistakes) => return say(&mistakes.to_string(), WRONG),
    };
    if let Some(Err(refused)) = settings.dlp.rules_file.as_deref().map(rules::load) {
        return say(&refused.to_string(), WRONG);
    }
    if arguments.check_config {
        return print(&settings.summary().to_string());
    }
    match run(settings, sources) {
        Ok(()) => ExitCode::from(DONE),
        Err(error) => {
            let advice = error.downcast_ref::<app::Error>().and_then(app::Error::advice);
            let advice = advice.map(|advice| format!("\nwhat to do: {advice}")).unwrap_or_default();
            say(&format!("factoryd: {error:#}{advice}"), FAILED)
        }
    }
}

#[expect(clippy::print_stdout, reason = "what was asked for goes to standard output")]
fn print(text: &str) -> ExitCode {
    println!("{}", text.trim_end());
    ExitCode::from(DONE)
}

#[expect(clippy::print_stderr, reason = "before logs exist, and after they end, this is how a command speaks")]
fn say(text: &str, code: u8) -> ExitCode {
    eprintln!("{}", text.trim_end());
    ExitCode::from(code)
}

/// Runs the quickstart with this program as its daemon.
fn show_around(json: bool) -> ExitCode {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return say(&format!("factoryd: find this program: {error}"), FAILED),
    };
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(quickstart::run(&program, json)),
        Err(error) => say(&format!("factoryd: start the runtime: {error}"), FAILED),
    }
}

#[expect(clippy::disallowed_methods, reason = "the environment is read once, here, and handed to config")]
fn sources(arguments: &Arguments) -> Sources {
    let flags = Overrides {
        socket: arguments.socket.clone(),
        data_dir: arguments.data_dir.clone(),
        templates_dir: arguments.templates_dir.clone(),
        log_format: arguments.log_format.map(|style| match style {
            LogStyle::Text => LogFormat::Text,
            LogStyle::Json => LogFormat::Json,
        }),
    };
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Sources { file: arguments.config.clone(), environment: environment.collect(), flags }
}

fn run(settings: Settings, sources: Sources) -> anyhow::Result<()> {
    let format = match settings.log.format {
        LogFormat::Json => Format::Json,
        LogFormat::Text => Format::Text,
    };
    logs::init(format, &settings.log.level, Destination::of_this_process(&sources.environment))
        .context("start logging")?;
    let metrics = Metrics::install().context("start metrics")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(settings.max_workers.get())
        .thread_name("factoryd")
        .enable_all()
        .build()
        .context("start the runtime")?;
    let inherited = ListenFd::from_env().take_unix_listener(0).context("take the socket that systemd passed")?;
    runtime.block_on(async {
        let signals = Signals::listen()?;
        let daemon = Daemon::start(settings.clone(), metrics, inherited.map(Into::into)).await?;
        serve(daemon, signals, settings, sources).await
    })
}

/// The signals that the daemon answers to. Listened for before anything starts: a signal that nobody listens for ends the
/// process at once, whatever it is doing.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// Listened for and not answered: a limit on the size of files then fails a write as a full disk does, instead of ending
    /// the process.
    _file_size: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("listen for SIGINT")?,
            hang_up: signal(SignalKind::hangup()).context("listen for SIGHUP")?,
            _file_size: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))
                .context("listen for SIGXFSZ")?,
        })
    }
}

/// Runs until a signal says otherwise, or the tree gives up.
async fn serve(mut daemon: Daemon, mut signals: Signals, settings: Settings, sources: Sources) -> anyhow::Result<()> {
    let gave_up = loop {
        tokio::select! {
            _ = signals.terminate.recv() => break false,
            _ = signals.interrupt.recv() => break false,
            _ = signals.hang_up.recv() => reload(&mut daemon, &settings, &sources).await,
            () = daemon.ended() => break true,
        }
    };
    if gave_up {
        daemon.abandon().await.context("close the store behind a supervision tree that gave up")?;
        anyhow::bail!("the supervision tree gave up; the log says why");
    }
    tracing::info!("stopping");
    let asked_again = async {
        tokio::select! {
            _ = signals.terminate.recv() => {}
            _ = signals.interrupt.recv() => {}
        }
        tracing::info!("asked again: what runs is not waited for, and goes on at the next start");
    };
    daemon.stop(asked_again).await.context("stop")
}

async fn reload(daemon: &mut Daemon, running: &Settings, sources: &Sources) {
    let settings = match config::load(sources) {
        Ok(settings) => settings,
        Err(mistakes) => return tracing::error!(%mistakes, "the settings are wrong; the old ones stay in force"),
    };
    let changed = app::needs_restart(running, &settings);
    if !changed.is_empty() {
        let changed = changed.join(", ");
        tracing::warn!(settings = %changed, "these settings have changed and are NOT in force: they need a restart");
    }
    match daemon.reload(settings).await {
        Ok(()) => tracing::info!("settings re-read"),
        Err(error) => tracing::error!(%error, "new settings are only partly in force; send SIGHUP again"),
    }
}
