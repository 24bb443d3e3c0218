//! What came of it: every figure beside its bar.

use std::time::Duration;

/// All figures so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    what: String,
    figure: String,
    bar: String,
    held: bool,
}

impl Report {
    /// Tells a figure beside its bar, and keeps it for the table.
    pub(crate) fn note(&mut self, what: &str, figure: &str, bar: &str, held: bool) {
        println!("{} {what}: {figure} (bar: {bar})", if held { "held  " } else { "FAILED" });
        let [what, figure, bar] = [what, figure, bar].map(ToOwned::to_owned);
        self.lines.push(Line { what, figure, bar, held });
    }

    /// Prints all figures as a table; how many bars were missed.
    pub(crate) fn conclude(&self) -> usize {
        println!("\n| | measured | bar | |\n| --- | ---: | ---: | --- |");
        for Line { what, figure, bar, held } in &self.lines {
            println!(
                "| {what} | {figure} | {bar} | {} |",
                if *held { "held" } else { "**missed**" }
            );
        }
        self.lines.iter().filter(|line| !line.held).count()
    }
}

/// A time in milliseconds, as tables tell it.
pub(crate) fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1_000.0)
}

/// The one in the middle.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
