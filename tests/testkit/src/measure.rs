//! What benchmarks say of durations and of processes.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Map, Value, json};

/// Of sorted values.
pub fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get(sorted.len() * percent / 100).or(sorted.last()).copied().unwrap_or_default()
}

/// The same in milliseconds.
pub fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    percentile(sorted, percent).as_secs_f64() * 1e3
}

/// The one in the middle, or between the two that are; 0 of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (lower, upper) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    values.get(lower).zip(values.get(upper)).map_or(0.0, |(lower, upper)| f64::midpoint(*lower, *upper))
}

/// A figure's name, as JSON has it, and where it is found.
pub type Figure<F> = (&'static str, fn(&F) -> f64);

/// Writes a table of the medians of two subjects that took turns, `names`, and of the
/// ratios of the second to the first within each turn. The same as JSON.
pub fn compare<F>(
    out: &mut impl Write,
    names: [&str; 2],
    figures: &[Figure<F>],
    [first, second]: [&[F]; 2],
) -> io::Result<Map<String, Value>> {
    let [one, other] = names;
    writeln!(out, "{:20} {one:>12} {other:>12} {:>16}", "", format!("{other}/{one}"))?;
    let mut line = Map::new();
    for (name, pick) in figures {
        let of = |figures: &[F]| median(figures.iter().map(pick).collect());
        let ratio = median(first.iter().zip(second).map(|(a, b)| pick(b) / pick(a)).collect());
        writeln!(out, "{name:20} {:12.2} {:12.2} {ratio:16.2}", of(first), of(second))?;
        line.insert((*name).to_owned(), json!([of(first), of(second), ratio]));
    }
    Ok(line)
}

/// Memory of a process, in MiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Resident now (`VmRSS`).
    pub resident: f64,
    /// The most that was ever resident (`VmHWM`).
    pub most: f64,
}

/// What the system says of the process's memory.
///
/// # Errors
/// When there is no such process.
pub fn memory(pid: u32) -> io::Result<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib: Option<f64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        kib.map(|kib| kib / 1024.0).ok_or_else(|| io::Error::other(format!("no {name}")))
    };
    Ok(Memory { resident: mib("VmRSS:")?, most: mib("VmHWM:")? })
}

/// MiB on the disk under a store: the file and its log.
pub fn store_mib(path: &std::path::Path) -> f64 {
    let wal = path.with_file_name(format!("{}-wal", path.file_name().unwrap_or_default().display()));
    let bytes: u64 = [path, &wal].iter().filter_map(|path| path.metadata().ok()).map(|m| m.len()).sum();
    #[expect(clippy::cast_precision_loss, reason = "it is shown with one decimal")]
    let bytes = bytes as f64;
    bytes / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles_of_few_values() {
        let cases: [(&[f64], f64); 4] =
            [(&[], 0.0), (&[3.0], 3.0), (&[4.0, 1.0], 2.5), (&[9.0, 1.0, 2.0], 2.0)];
        for (values, expected) in cases {
            assert!((median(values.to_vec()) - expected).abs() < f64::EPSILON, "{values:?}");
        }
        let hundred: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        let at = |percent| percentile(&hundred, percent).as_millis();
        assert_eq!([at(0), at(50), at(99), at(100)], [1, 51, 100, 100]);
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }
}
