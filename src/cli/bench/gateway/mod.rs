//! `factoryctl bench gateway`: what the daemon does, and adds, as a gateway to a model.
//!
//! ```text
//! no --template:  model (a thread) <── private daemon (filter, budgets, journal: on) <── load      and the same load at the model
//! --template T:   whatever T's route leads to <── the daemon at the socket <── load
//!
//! warm-up, not counted ─> full load ─> load at --rate ─> (both at the model itself)
//! ```
//!
//! The private daemon filters what goes out, reserves against a limit and syncs its journal, as a daemon in use does: none of it is
//! switched off to be measured. The load reaches the model itself over a Unix socket as it reaches the daemon, so that what the daemon
//! adds holds its own way to the model, over TCP.

mod figures;
mod process;

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;

use self::figures::{Cost, Document, Part, Terms};
use self::process::Process;
use super::LEAVES;
use super::load::{self, Pace, Target};
use super::mock_model::{Listeners, Running};
use super::report::Samples;
use super::work::Work;
use crate::cli::exit::{Error, Exit};
use crate::cli::private::{Daemon, Interruption, Workshop};
use crate::cli::progress::Progress;
use crate::cli::session::Session;
use crate::client::{Call, Client};
use crate::telemetry::Exposition;

/// How long the private daemon may take to be ready.
const READY_TIME_MAX: Duration = Duration::from_secs(20);
/// Requests of each connection before anything is counted: connections are opened, and what is loaded when it is first needed is.
const WARM_UP_REQUESTS: u64 = 8;
/// The longest that requests come at the rate, where their number was said and not a time.
const RATE_SECONDS_MAX: u64 = 10;

/// The private daemon's template.
const TEMPLATE: &str = "bench";
const TEMPLATE_TEXT: &str = r#"{
  "name": "bench",
  "version": "1.0.0",
  "description": "What a bench asks: one call of its own model, filtered, budgeted and journalled.",
  "capabilities": ["answers"],
  "system_prompt": "Answer in one sentence, from the text alone.",
  "model": {"route": "bench", "max_output_tokens": 64},
  "budget": {"per_task_usd": "0.05"},
  "dlp": {"outbound": "pseudonymise"}
}
"#;

/// The private daemon's settings, but for the port of its model.
const SETTINGS: &str = r#"
[api]
connections_max = 2048

[models."mock/fixed"]
input_usd_per_mtok = "1.00"
output_usd_per_mtok = "4.00"

[routes]
bench = ["mock/fixed"]

[budgets.global]
limit_usd = "1000000"
window = "day"

[providers.mock]
kind = "openai"
max_concurrency = 1024
"#;

/// The verb.
#[derive(Debug, Args)]
#[command(after_help = format!("Examples:\n  factoryctl bench gateway --json                  a private daemon before a model of its own\n  factoryctl bench gateway --template T --json     the daemon at the socket\n\nWithout --template nothing is left behind. With it, {}", LEAVES.to_lowercase()))]
pub(in crate::cli) struct Gateway {
    /// A template of the daemon at the socket; without one, a private daemon before a model of its own is measured.
    #[arg(long, value_name = "T")]
    template: Option<String>,
    #[command(flatten)]
    pace: Pace,
    /// Requests a second of the second part, in which times count from when a request was due.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// The program of the private daemon; the factoryd that lies beside this program where it is not given.
    #[arg(long, value_name = "FILE", conflicts_with = "template")]
    factoryd: Option<PathBuf>,
}

impl Gateway {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        let document = match &self.template {
            Some(template) => {
                // A daemon that cannot be reached, or a template that is not there, is told before and not as a count of errors.
                session.client.template(template).await?;
                self.measure(super::at_socket(session)?, template, None).await?
            }
            None => self.measure_alone().await?,
        };
        session.output.show(&document, |paint| document.render(paint))?;
        Ok(if document.report.requests > 0 { Exit::Done } else { Exit::Failed })
    }

    /// Measures a daemon of its own, which is stopped and removed however that goes.
    async fn measure_alone(&self) -> Result<Document, Error> {
        let mut interruption = Interruption::listen()?;
        let program = self.program()?;
        let not_served = |source| Error::failed("model_not_served", format!("serve the bench's own model: {source}"));
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(not_served)?;
        let port = tcp.local_addr().map_err(not_served)?.port();
        let settings = format!("{SETTINGS}base_url = \"http://127.0.0.1:{port}/v1\"\n");
        let workshop = Workshop::prepare(&[(TEMPLATE, TEMPLATE_TEXT)], &settings)?;
        let beside = workshop.path().join("model.sock");
        let unix = UnixListener::bind(&beside).map_err(not_served)?;
        let model = Running::start(Listeners { tcp, unix: Some(unix) })?;

        let mut daemon = Daemon::start(&program, &workshop)?;
        let socket = workshop.socket();
        let work = async {
            daemon.ready(&Client::new(&socket), READY_TIME_MAX).await?;
            self.measure(&socket, TEMPLATE, Some(&beside)).await
        };
        let measured = tokio::select! {
            measured = work => measured,
            interrupted = interruption.comes() => Err(interrupted),
        };
        let stopped = daemon.stop().await;
        drop(model);
        let removed = workshop.remove();
        match (measured, stopped) {
            // A daemon that died is why it did not answer; its log says more.
            (Err(Error::Client(_)), Err(died)) => Err(died),
            (Err(error), _) | (Ok(_), Err(error)) => Err(error),
            (Ok(document), Ok(())) => removed.map(|()| document),
        }
    }

    fn program(&self) -> Result<PathBuf, Error> {
        if let Some(named) = &self.factoryd {
            return std::path::absolute(named).map_err(|source| Error::Usage(format!("--factoryd: {source}")));
        }
        let this = std::env::current_exe()
            .map_err(|source| Error::failed("daemon_not_started", format!("find this program: {source}")))?;
        Ok(this.with_file_name("factoryd"))
    }

    async fn measure(&self, socket: &Path, template: &str, model: Option<&Path>) -> Result<Document, Error> {
        let target = Target { work: Work::Chat, call: Arc::new(Work::Chat.call(template)?) };
        let progress = Progress::start(format!("{} connections", self.pace.connections));
        let meter = Some(Meter { client: Client::new(socket), process: Process::behind(socket).await });
        let (full, at_rate) = self.both(socket, &target, meter.as_ref(), &progress).await?;
        let direct = match model {
            Some(model) => Some(self.both(model, &target, None, &progress).await?),
            None => None,
        };
        drop(progress);
        let terms = Terms { template, connections: self.pace.connections, rate: self.rate };
        Ok(terms.document(full, at_rate, direct))
    }

    /// The full load, then the load at the rate; what comes before them is not counted.
    async fn both(
        &self,
        socket: &Path,
        target: &Target,
        meter: Option<&Meter>,
        progress: &Progress,
    ) -> Result<(Part, Part), Error> {
        let connections = self.pace.connections;
        let count = u64::try_from(connections).unwrap_or(u64::MAX).saturating_mul(WARM_UP_REQUESTS);
        let warm_up = Pace { connections, count: Some(count), duration: Duration::ZERO };
        drop(load::closed(socket, target, &warm_up).await);
        let full = measured(meter, load::closed(socket, target, &self.pace)).await?;
        progress.say(format!("{} requests a second", self.rate));
        let at_rate = load::open(socket, target, connections, self.rate, self.count_at_rate());
        Ok((full, measured(meter, at_rate).await?))
    }

    fn count_at_rate(&self) -> u64 {
        let rate = u64::from(self.rate);
        match self.pace.count {
            Some(count) => count.min(rate.saturating_mul(RATE_SECONDS_MAX)),
            None => {
                let ms = u64::try_from(self.pace.duration.as_millis()).unwrap_or(u64::MAX);
                rate.saturating_mul(ms).div_ceil(1_000).max(1)
            }
        }
    }
}

/// Where the daemon's own figures are read.
struct Meter {
    client: Client,
    process: Option<Process>,
}

impl Meter {
    async fn read(&self) -> Result<(Exposition, Option<process::Taken>), Error> {
        let answer = self.client.exchange(&Call::get("/metrics")).await?;
        // A caller who may not read them measures without; what is missing is not told.
        let text =
            if answer.status() == 200 { String::from_utf8_lossy(answer.body()).into_owned() } else { String::new() };
        Ok((Exposition::new(text), self.process.and_then(Process::taken)))
    }
}

/// One part, with the daemon's figures before and after it.
async fn measured(meter: Option<&Meter>, work: impl Future<Output = Samples>) -> Result<Part, Error> {
    let before = match meter {
        Some(meter) => Some(meter.read().await?),
        None => None,
    };
    let begun = Instant::now();
    let samples = work.await;
    let elapsed = begun.elapsed();
    let cost = match (meter, before) {
        (Some(meter), Some(before)) => {
            let after = meter.read().await?;
            Cost::between((&before.0, before.1), (&after.0, after.1), samples.all())
        }
        _ => Cost::default(),
    };
    Ok(Part { samples, elapsed, cost })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench(count: Option<u64>, duration: Duration, rate: u32) -> Gateway {
        Gateway { template: None, pace: Pace { connections: 1, count, duration }, rate, factoryd: None }
    }

    #[test]
    fn the_second_part_is_as_long_as_the_first_and_short_where_requests_are_counted() {
        assert_eq!(bench(None, Duration::from_secs(3), 500).count_at_rate(), 1_500);
        assert_eq!(bench(None, Duration::ZERO, 500).count_at_rate(), 1);
        assert_eq!(bench(Some(70), Duration::from_secs(10), 500).count_at_rate(), 70);
        assert_eq!(bench(Some(1_000_000), Duration::from_secs(10), 500).count_at_rate(), 5_000);
    }
}
