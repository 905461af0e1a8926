//! What is measured, and how it is summed up: medians with the spread.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use hookloom_testkit::measure::percentile;

/// One subject, once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Events per second from the first request to the last delivery.
    pub(crate) rate: f64,
    /// Events answered 200 per second, while they were sent.
    pub(crate) accept_rate: f64,
    /// User and system time per event.
    pub(crate) cpu_micros: f64,
    pub(crate) memory_mib: f64,
    /// At half of `rate`.
    pub(crate) ack_p50_ms: f64,
    pub(crate) ack_p99_ms: f64,
    /// Of the store, where there is one.
    pub(crate) commits: Option<Commits>,
}

/// Transactions that were synced, and the events that they made durable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Commits {
    pub(crate) all: f64,
    /// Those that made new events durable, whatever else was in them.
    pub(crate) accepting: f64,
    pub(crate) accepted: f64,
}

impl Commits {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            all: self.all - before.all,
            accepting: self.accepting - before.accepting,
            accepted: self.accepted - before.accepted,
        }
    }

    /// New events per sync that had any.
    fn events_per_sync(self) -> f64 {
        self.accepted / self.accepting
    }

    /// New events per sync of any kind: results and attempts are synced, too.
    fn events_per_any_sync(self) -> f64 {
        self.accepted / self.all
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, accept_rate, cpu_micros, memory_mib, ack_p50_ms, ack_p99_ms, commits } = self;
        write!(
            f,
            "{rate:6.0}/s end to end, {accept_rate:6.0}/s accepted, {cpu_micros:4.0} µs CPU, {memory_mib:4.0} MiB"
        )?;
        write!(f, ", ack p50 {ack_p50_ms:.2} ms p99 {ack_p99_ms:.2} ms")?;
        if let Some(commits) = commits {
            let (some, any) = (commits.events_per_sync(), commits.events_per_any_sync());
            write!(f, ", {some:.1} events per accepting sync ({any:.1} per any)")?;
        }
        Ok(())
    }
}

/// All pairs.
#[derive(Default)]
pub(crate) struct Table {
    /// Milliseconds of one sync before each pair.
    pub(crate) sync: Vec<f64>,
    subjects: Vec<(&'static str, Vec<Figures>)>,
}

impl Table {
    pub(crate) fn subject(&mut self, name: &'static str) -> &mut Vec<Figures> {
        let found = self.subjects.iter().position(|(known, _)| *known == name);
        let at = found.unwrap_or_else(|| {
            self.subjects.push((name, Vec::new()));
            self.subjects.len() - 1
        });
        &mut self.subjects[at].1
    }

    fn of(&self, name: &str) -> &[Figures] {
        self.subjects.iter().find(|(known, _)| *known == name).map_or(&[], |(_, figures)| figures)
    }

    pub(crate) fn summary(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "median (least to most)")?;
        line(out, "one sync, ms", self.sync.clone())?;
        for (name, figures) in &self.subjects {
            let each = |pick: fn(&Figures) -> f64| figures.iter().map(pick).collect::<Vec<_>>();
            line(out, &format!("{name}: events/s end to end"), each(|f| f.rate))?;
            line(out, &format!("{name}: events/s accepted"), each(|f| f.accept_rate))?;
            line(out, &format!("{name}: CPU per event, µs"), each(|f| f.cpu_micros))?;
            line(out, &format!("{name}: memory at most, MiB"), each(|f| f.memory_mib))?;
            line(out, &format!("{name}: ack p50 at half load, ms"), each(|f| f.ack_p50_ms))?;
            line(out, &format!("{name}: ack p99 at half load, ms"), each(|f| f.ack_p99_ms))?;
            let commits: Vec<_> = figures.iter().filter_map(|f| f.commits).collect();
            if !commits.is_empty() {
                let some = commits.iter().map(|c| c.events_per_sync()).collect();
                let any = commits.iter().map(|c| c.events_per_any_sync()).collect();
                line(out, &format!("{name}: events per accepting sync"), some)?;
                line(out, &format!("{name}: events per sync of any kind"), any)?;
            }
        }
        self.ratio(out, "gateway ÷ forwarder: events/s end to end", "forwarder", |f| f.rate)?;
        self.ratio(out, "gateway ÷ forwarder: CPU per event", "forwarder", |f| f.cpu_micros)?;
        self.ratio(out, "full ÷ off: events/s accepted", "synchronous=off", |f| f.accept_rate)?;
        self.ratio(out, "full ÷ off: events/s end to end", "synchronous=off", |f| f.rate)?;
        self.ratio(out, "gateway ÷ against: events/s end to end", "against", |f| f.rate)?;
        self.ratio(out, "gateway ÷ against: events/s accepted", "against", |f| f.accept_rate)?;
        self.ratio(out, "gateway ÷ against: CPU per event", "against", |f| f.cpu_micros)
    }

    /// The gateway's figure over another subject's of the same pair.
    fn ratio(
        &self,
        out: &mut impl Write,
        name: &str,
        other: &str,
        pick: fn(&Figures) -> f64,
    ) -> io::Result<()> {
        let pairs = self.of("gateway").iter().zip(self.of(other));
        line(out, name, pairs.map(|(gateway, other)| pick(gateway) / pick(other)).collect())
    }
}

fn line(out: &mut impl Write, name: &str, mut values: Vec<f64>) -> io::Result<()> {
    values.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (values.first(), values.last()) else { return Ok(()) };
    let median = values[values.len() / 2];
    writeln!(out, "  {name:45} {median:9.2} ({least:.2} to {most:.2})")
}

/// What the disk takes to keep 16 KiB at a file's end: the median of a hundred.
pub(crate) fn time_of_sync(folder: &Path) -> io::Result<Duration> {
    let mut file: File = tempfile::tempfile_in(folder)?;
    let mut times = Vec::with_capacity(100);
    for _ in 0..100 {
        file.write_all(&[0x5a; 16 << 10])?;
        let begin = Instant::now();
        file.sync_data()?;
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    Ok(percentile(&times, 50))
}
