//! Logs to standard error, and traces to a collector when there is one.

use std::{fmt, io::IsTerminal, str::FromStr};

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::{
    Layer,
    filter::{FilterFn, LevelFilter, Targets, filter_fn},
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{self, Writer},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::propagation::trace_id;

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    #[default]
    Json,
    /// For a person at a terminal.
    Text,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err("must be json or text"),
        }
    }
}

/// What to set up.
#[derive(Debug, Clone, Default)]
pub struct TelemetryOptions {
    /// Name under which traces appear.
    pub service: String,
    /// Where a collector takes OTLP over gRPC, for instance `http://127.0.0.1:4317`.
    pub otlp_endpoint: Option<String>,
    /// How logs look.
    pub log_format: LogFormat,
    /// What is logged, as `tracing` directives, for instance `info,crm=debug`.
    pub log_level: String,
}

/// Telemetry that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The directives are not.
    #[error("log-level cannot be read")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    /// The endpoint cannot be used.
    #[error("otlp-endpoint cannot be used")]
    Endpoint(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Something else in the process was quicker.
    #[error("telemetry is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Keeps traces flowing until it is shut down.
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
}

impl Telemetry {
    /// Hands what is still in memory to the collector.
    pub fn shutdown(self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::debug!(%error, "the last traces were not handed over");
        }
    }
}

/// Sets up logs and traces for the process.
///
/// # Errors
///
/// See [`TelemetryError`].
pub fn init(options: &TelemetryOptions) -> Result<Telemetry, TelemetryError> {
    let resource = Resource::builder().with_service_name(options.service.clone()).build();
    let mut provider = SdkTracerProvider::builder().with_resource(resource);
    if let Some(endpoint) = &options.otlp_endpoint {
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .build()?;
        provider = provider.with_batch_exporter(exporter);
    }
    let provider = provider.build();
    let tracer = provider.tracer("meydan");
    let spans = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false);
    let level = if options.log_level.is_empty() { "info" } else { &options.log_level };
    let logs = match options.log_format {
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .event_format(JsonLine)
            .boxed(),
        LogFormat::Text => {
            let colours = std::io::stderr().is_terminal();
            let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
            lines.with_ansi(colours).compact().boxed()
        }
    };
    tracing_subscriber::registry()
        .with(chosen(level.parse()?))
        .with(spans)
        .with(logs)
        .try_init()?;
    Ok(Telemetry { provider })
}

/// Which events are logged, and which spans traced. The two are chosen apart: a quiet log still has whole
/// traces, and an error page its trace's id. The libraries' own spans are no part of our traces.
///
/// One filter for both layers, because the choice of a layer's own filter is forgotten or mistaken for the
/// next one's when a library only asks whether it should log.
fn chosen(levels: Targets) -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    let most = levels.iter().map(|(_, level)| level).chain(levels.default_level()).max();
    let most = most.unwrap_or(LevelFilter::OFF).max(LevelFilter::INFO);
    filter_fn(move |about| {
        if about.is_span() {
            *about.level() <= Level::INFO && !about.target().starts_with("h2")
        } else {
            levels.would_enable(about.target(), about.level())
        }
    })
    .with_max_level_hint(most)
}

/// A log line as one JSON object, with the id of its trace.
struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        let json = format::Format::default().json().with_current_span(false).with_span_list(false);
        json.flatten_event(true).format_event(context, Writer::new(&mut line), event)?;
        match (line.trim_end().strip_suffix('}'), trace_id()) {
            (Some(open), Some(trace)) => writeln!(writer, "{open},\"trace_id\":\"{trace}\"}}"),
            _ => writer.write_str(&line),
        }
    }
}
