//! Our stages beside their peers, in one run: every peer does the same work in turn (A B C A B C …),
//! so that whatever else the machine does hits all alike, and the ratio of medians is the result.

mod child;

pub use child::ChildPeer;

use serde::Serialize;
use std::fmt;
use std::time::{Duration, Instant};

/// One contestant of a [`Contest`].
pub struct Peer<'a> {
    name: &'static str,
    work: Work<'a>,
}

enum Work<'a> {
    /// Timed here.
    Here(Box<dyn FnMut() + 'a>),
    /// Times itself and says how long it took (another process).
    Elsewhere(Box<dyn FnMut() -> Duration + 'a>),
    /// Cannot take part, and why.
    Skipped(String),
}

impl<'a> Peer<'a> {
    /// A peer in this process: `work` is timed from call to return.
    pub fn new(name: &'static str, work: impl FnMut() + 'a) -> Self {
        Self {
            name,
            work: Work::Here(Box::new(work)),
        }
    }

    /// A peer that measures itself and returns its time.
    pub fn elsewhere(name: &'static str, work: impl FnMut() -> Duration + 'a) -> Self {
        Self {
            name,
            work: Work::Elsewhere(Box::new(work)),
        }
    }

    /// A peer that is not there.
    pub fn skipped(name: &'static str, reason: impl Into<String>) -> Self {
        Self {
            name,
            work: Work::Skipped(reason.into()),
        }
    }
}

/// Times of one peer, in µs.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The peer; the first is ours.
    pub peer: &'static str,
    /// Absent: skipped.
    pub median_us: Option<f64>,
    /// The shortest.
    pub least_us: Option<f64>,
    /// The median over ours: above 1, ours is faster.
    pub ratio: Option<f64>,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

/// The same work by all peers.
#[derive(Debug, Serialize)]
pub struct Contest {
    /// What was done.
    pub case: String,
    /// Times each did it.
    pub rounds: u32,
    /// The peers; the first is ours.
    pub peers: Vec<Row>,
}

impl Contest {
    /// Runs all `peers` in turn, `rounds` times after a tenth of it to warm up. The first is ours.
    #[must_use]
    pub fn run(case: impl Into<String>, rounds: u32, mut peers: Vec<Peer<'_>>) -> Self {
        let mut times = vec![Vec::with_capacity(rounds as usize); peers.len()];
        let warm_up = rounds / 10 + 1;
        for round in 0..rounds + warm_up {
            for (peer, times) in peers.iter_mut().zip(&mut times) {
                let time = match &mut peer.work {
                    Work::Here(work) => {
                        let start = Instant::now();
                        work();
                        start.elapsed()
                    }
                    Work::Elsewhere(work) => work(),
                    Work::Skipped(_) => continue,
                };
                if round >= warm_up {
                    times.push(time.as_secs_f64() * 1e6);
                }
            }
        }
        let mut ours = None;
        let rows = peers
            .into_iter()
            .zip(times)
            .map(|(peer, mut times)| {
                times.sort_unstable_by(f64::total_cmp);
                let median = times.get(times.len() / 2).copied();
                let ours = *ours.get_or_insert(median.unwrap_or(f64::NAN));
                Row {
                    peer: peer.name,
                    median_us: median,
                    least_us: times.first().copied(),
                    ratio: median.map(|median| median / ours),
                    skipped: match peer.work {
                        Work::Skipped(reason) => Some(reason),
                        _ => None,
                    },
                }
            })
            .collect();
        Self {
            case: case.into(),
            rounds,
            peers: rows,
        }
    }
}

impl fmt::Display for Contest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({} rounds, in turn)", self.case, self.rounds)?;
        for row in &self.peers {
            match (row.median_us, row.least_us, row.ratio) {
                (Some(median), Some(least), Some(ratio)) => writeln!(
                    f,
                    "  {:<36} median {median:>9.1} µs   least {least:>9.1} µs   {ratio:>6.2} x",
                    row.peer
                )?,
                _ => writeln!(
                    f,
                    "  {:<36} SKIPPED: {}",
                    row.peer,
                    row.skipped.as_deref().unwrap_or("no times")
                )?,
            }
        }
        Ok(())
    }
}

/// Prints the tables, and after them one line of JSON: `{"subject": …, "contests": […]}`.
///
/// # Panics
/// Never: numbers and names always serialise.
pub fn publish(subject: &str, contests: &[Contest]) {
    #[derive(Serialize)]
    struct Report<'a> {
        subject: &'a str,
        contests: &'a [Contest],
    }
    for contest in contests {
        println!("{contest}");
    }
    let report = Report { subject, contests };
    let json = serde_json::to_string(&report).expect("numbers and names serialise");
    println!("{json}");
}
