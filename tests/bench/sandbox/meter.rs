//! What a number of calls cost, and tables of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hookloom_testkit::measure::median;
use rustix::time::{ClockId, clock_gettime};

/// Of one call.
pub(crate) struct Cost {
    /// Of this thread, in microseconds: a neighbour on the machine does not count.
    pub(crate) cpu: f64,
    /// By the wall clock, in microseconds.
    pub(crate) wall: f64,
    /// Minor page faults.
    pub(crate) faults: f64,
}

/// What one of so many calls costs.
pub(crate) fn micros(times: u32, calls: impl FnOnce()) -> Cost {
    let (wall, cpu, faults) = (Instant::now(), thread_cpu(), faults());
    calls();
    let each = |total: f64| total / f64::from(times);
    Cost {
        cpu: each(thread_cpu().saturating_sub(cpu).as_secs_f64() * 1e6),
        wall: each(wall.elapsed().as_secs_f64() * 1e6),
        faults: each(self::faults() - faults),
    }
}

/// CPU time of this thread.
pub(crate) fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Minor page faults of this thread.
fn faults() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    fields.split_whitespace().nth(7).and_then(|n| n.parse().ok()).unwrap_or(f64::NAN)
}

/// Figures of rounds that took turns.
#[derive(Default)]
pub(crate) struct Table {
    order: Vec<&'static str>,
    rows: BTreeMap<&'static str, Vec<f64>>,
}

impl Table {
    /// One round's figure.
    pub(crate) fn add(&mut self, what: &'static str, figure: f64) {
        if !self.rows.contains_key(what) {
            self.order.push(what);
        }
        self.rows.entry(what).or_default().push(figure);
    }

    /// Medians with their spread.
    pub(crate) fn print(&self, title: &str) {
        println!("\n{title}");
        for what in &self.order {
            let figures = &self.rows[what];
            println!("{what:32} {}", spread(figures, 2));
        }
    }

    /// The same, and each as a multiple of one of them, within each round.
    pub(crate) fn print_against(&self, base: &str, title: &str) {
        println!("\n{title}, and as a multiple of: {base}");
        for what in &self.order {
            let figures = &self.rows[what];
            let ratios: Vec<_> = figures.iter().zip(&self.rows[base]).map(|(a, b)| a / b).collect();
            println!("{what:32} {}   × {}", spread(figures, 2), spread(&ratios, 2));
        }
    }
}

fn spread(figures: &[f64], digits: usize) -> String {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{:10.digits$} ({least:.digits$} to {most:.digits$})", median(figures.to_vec()))
}
