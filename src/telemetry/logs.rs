//! Logs on standard error: for a terminal, for a file, or for the journal, which adds the time itself and reads the priority
//! from the line's beginning.

use std::io::{self, IsTerminal, Write};
use std::panic::PanicHookInfo;

use tracing::{Level, Metadata};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use super::error::Error;

/// The library of actors, whose spans would name every actor above the one that speaks by a number that means nothing to anybody.
/// A level that names it is obeyed.
const QUIET: &str = "ractor";

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people and the journal.
    Text,
    /// A JSON object a line.
    Json,
}

/// What reads standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// A person's terminal: colours.
    Terminal,
    /// A file or pipe: the time, no colours.
    Stream,
    /// The journal: the priority, no time, no colours.
    Journal,
}

impl Destination {
    /// What reads this process's standard error. `JOURNAL_STREAM` names the journal's end by device and inode; it is believed
    /// only where standard error still is that end, because children inherit the variable with other streams.
    #[must_use]
    pub fn of_this_process(environment: &[(String, String)]) -> Self {
        let named = environment.iter().find(|(name, _)| name == "JOURNAL_STREAM").map(|(_, stream)| stream);
        let here = rustix::fs::fstat(io::stderr()).map(|stat| format!("{}:{}", stat.st_dev, stat.st_ino));
        if named.is_some_and(|named| here.as_ref() == Ok(named)) {
            Self::Journal
        } else if io::stderr().is_terminal() {
            Self::Terminal
        } else {
            Self::Stream
        }
    }
}

/// Sends the process's logs to standard error from now on, panics included.
///
/// `level` is a level or a list such as `info,agent_factory::store=debug`.
///
/// # Errors
/// The level is not one, or something else already receives the logs.
pub fn init(format: Format, level: &str, destination: Destination) -> Result<(), Error> {
    let layer = layer(format, level, destination, io::stderr)?;
    Registry::default()
        .with(layer)
        .try_init()
        .map_err(|error| Error::AlreadySet { what: "logs", reason: error.to_string() })?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

fn layer<W>(format: Format, level: &str, destination: Destination, writer: W) -> Result<BoxedLayer, Error>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter: Targets =
        level.parse().map_err(|error| Error::Level { level: level.to_owned(), reason: format!("{error}") })?;
    let filter = if level.contains(QUIET) { filter } else { filter.with_target(QUIET, Level::WARN) };
    let writer = Prioritised { writer, journal: destination == Destination::Journal };
    let lines = fmt::layer().with_writer(writer).with_ansi(destination == Destination::Terminal);
    Ok(match (format, destination) {
        (Format::Text, Destination::Journal) => lines.without_time().with_level(false).with_filter(filter).boxed(),
        (Format::Text, Destination::Terminal | Destination::Stream) => lines.with_filter(filter).boxed(),
        (Format::Json, _) => lines.json().flatten_event(true).with_filter(filter).boxed(),
    })
}

/// Logs a panic by its place. The message is kept only where it is fixed text: one that was formatted may quote what a
/// person wrote.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("a formatted message, not logged");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    tracing::error!(place, thread = thread.name().unwrap_or_default(), message, "panicked");
}

/// Begins each line for the journal with its priority, `<3>` to `<7>`.
struct Prioritised<W> {
    writer: W,
    journal: bool,
}

/// A writer for one line.
struct Line<W> {
    writer: W,
    /// What is still to be written before the line.
    prefix: &'static str,
}

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for Prioritised<W> {
    type Writer = Line<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        Line { writer: self.writer.make_writer(), prefix: "" }
    }

    fn make_writer_for(&'w self, meta: &Metadata<'_>) -> Self::Writer {
        let prefix = if self.journal { priority(*meta.level()) } else { "" };
        Line { writer: self.writer.make_writer_for(meta), prefix }
    }
}

impl<W: Write> Write for Line<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match std::mem::take(&mut self.prefix) {
            "" => self.writer.write_all(bytes),
            // One write, so that lines of two threads do not mix.
            prefix => self.writer.write_all(&[prefix.as_bytes(), bytes].concat()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("a lock").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, level: &str, destination: Destination, body: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let layer = layer(format, level, destination, move || writer.clone()).expect("a layer");
        tracing::subscriber::with_default(Registry::default().with(layer), body);
        String::from_utf8(sink.0.lock().expect("a lock").clone()).expect("text")
    }

    #[test]
    fn the_journal_gets_priorities_and_no_time_or_colours() {
        let text = logged(Format::Text, "debug", Destination::Journal, || {
            tracing::warn!(task = 7, "slow");
            tracing::debug!("fine");
        });
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("<4>agent_factory::telemetry::logs::tests: slow task=7"), "{text}");
        assert!(lines[1].starts_with("<7>"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains("20"), "{text:?}");
    }

    #[test]
    fn a_stream_gets_the_time_and_a_terminal_colours() {
        let line = || tracing::info!("up");
        let stream = logged(Format::Text, "info", Destination::Stream, line);
        assert!(stream.starts_with("20") && stream.contains("INFO") && !stream.contains('\u{1b}'), "{stream:?}");
        assert!(logged(Format::Text, "info", Destination::Terminal, line).contains('\u{1b}'));
    }

    #[test]
    fn json_is_an_object_a_line_with_its_fields() {
        let text = logged(Format::Json, "info", Destination::Stream, || tracing::info!(scope = "global", "set"));
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).expect("an object");
        assert_eq!(
            (&line["level"], &line["message"], &line["scope"]),
            (&"INFO".into(), &"set".into(), &"global".into())
        );
    }

    #[test]
    fn levels_hold_by_module() {
        let text = logged(Format::Text, "warn,noisy=off,agent_factory::store=debug", Destination::Stream, || {
            tracing::debug!(target: "agent_factory::store", "kept");
            tracing::info!("below");
            tracing::error!(target: "noisy", "off");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(matches!(layer(Format::Text, "a=b=c", Destination::Stream, io::sink), Err(Error::Level { .. })));
    }

    #[test]
    fn a_variable_inherited_from_somewhere_else_is_not_the_journal() {
        let inherited = [("JOURNAL_STREAM".to_owned(), "1:1".to_owned())];
        assert_ne!(Destination::of_this_process(&inherited), Destination::Journal);
    }
}
