//! Stored form: what the store keeps of the last experiment with each template, under `x` and the template's name.

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use super::state::{End, EndReason, Experiment, Halt, Halting, Metric, Variant, Worse};
use crate::domain::clock::Timestamp;
use crate::domain::id::ExperimentId;
use crate::domain::name::{Digest, TemplateName};
use crate::store::Record;

/// What the keys of all experiments begin with.
pub(super) const PREFIX: &[u8] = b"x";
const KIND: u8 = 16;
/// The first encoding.
const ENCODING: u8 = 1;

#[derive(Encode, Decode)]
struct Body {
    #[n(0)]
    id: ByteArray<16>,
    #[n(1)]
    started_micros: i64,
    #[n(2)]
    started_by: String,
    #[n(3)]
    control: u8,
    #[n(4)]
    halts: bool,
    #[n(5)]
    variants: Vec<VariantBody>,
    #[n(6)]
    ended: Option<EndBody>,
}

#[derive(Encode, Decode)]
struct VariantBody {
    #[n(0)]
    version: String,
    #[n(1)]
    digest: ByteArray<32>,
    #[n(2)]
    share: f64,
    #[n(3)]
    halted: Option<HaltBody>,
}

#[derive(Encode, Decode)]
struct HaltBody {
    #[n(0)]
    at_micros: i64,
    #[n(1)]
    metric: String,
    #[n(2)]
    at_most: f64,
    #[n(3)]
    than: u8,
    #[n(4)]
    at_least: f64,
}

#[derive(Encode, Decode)]
struct EndBody {
    #[n(0)]
    at_micros: i64,
    #[n(1)]
    by: String,
    #[n(2)]
    why: String,
}

pub(super) fn key(template: &TemplateName) -> Vec<u8> {
    [PREFIX, template.as_str().as_bytes()].concat()
}

/// The template that a key names.
pub(super) fn template(key: &[u8]) -> Option<TemplateName> {
    std::str::from_utf8(key.strip_prefix(PREFIX)?).ok()?.parse().ok()
}

pub(super) fn write(experiment: &Experiment) -> Result<Record, String> {
    let halt = |halt: &Halt| HaltBody {
        at_micros: halt.at.micros(),
        metric: halt.verdict.metric.as_str().to_owned(),
        at_most: halt.verdict.at_most,
        than: halt.verdict.than,
        at_least: halt.verdict.at_least,
    };
    let variant = |variant: &Variant| VariantBody {
        version: variant.version.to_string(),
        digest: (*variant.digest.as_bytes()).into(),
        share: variant.share,
        halted: variant.halted.as_ref().map(halt),
    };
    let end = |end: &End| EndBody { at_micros: end.at.micros(), by: end.by.clone(), why: end.why.as_str().to_owned() };
    let body = Body {
        id: (*experiment.id.as_bytes()).into(),
        started_micros: experiment.started_at.micros(),
        started_by: experiment.started_by.clone(),
        control: experiment.control,
        halts: experiment.halting == Halting::Automatic,
        variants: experiment.variants.iter().map(variant).collect(),
        ended: experiment.ended.as_ref().map(end),
    };
    let body = minicbor::to_vec(&body).map_err(|fault| fault.to_string())?;
    Ok(Record { kind: KIND, version: ENCODING, body })
}

pub(super) fn read(template: TemplateName, record: &Record) -> Result<Experiment, String> {
    if (record.kind, record.version) != (KIND, ENCODING) {
        return Err(format!("unknown kind {} version {}", record.kind, record.version));
    }
    let body: Body = minicbor::decode(&record.body).map_err(|fault| fault.to_string())?;
    Ok(Experiment {
        id: ExperimentId::from_bytes(body.id.into()),
        template,
        started_at: Timestamp::from_micros(body.started_micros),
        started_by: body.started_by,
        control: body.control,
        halting: if body.halts { Halting::Automatic } else { Halting::Off },
        variants: body.variants.into_iter().map(read_variant).collect::<Result<_, _>>()?,
        ended: body.ended.map(read_end).transpose()?,
    })
}

fn read_variant(body: VariantBody) -> Result<Variant, String> {
    Ok(Variant {
        version: body.version.parse().map_err(|_| format!("{:?} is no version", body.version))?,
        digest: Digest::from_bytes(body.digest.into()),
        share: body.share,
        halted: body.halted.map(read_halt).transpose()?,
    })
}

fn read_halt(body: HaltBody) -> Result<Halt, String> {
    let metric = Metric::ALL.into_iter().find(|metric| metric.as_str() == body.metric);
    let metric = metric.ok_or_else(|| format!("unknown metric {:?}", body.metric))?;
    let verdict = Worse { metric, at_most: body.at_most, than: body.than, at_least: body.at_least };
    Ok(Halt { at: Timestamp::from_micros(body.at_micros), verdict })
}

fn read_end(body: EndBody) -> Result<End, String> {
    let why = [EndReason::Stopped, EndReason::RolledBack].into_iter().find(|why| why.as_str() == body.why);
    let why = why.ok_or_else(|| format!("unknown reason {:?}", body.why))?;
    Ok(End { at: Timestamp::from_micros(body.at_micros), by: body.by, why })
}
