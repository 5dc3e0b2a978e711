//! The table: medians, spreads, ratios, floors.

use crate::figures::{median, spread};
use crate::load::{Case, Sample};

/// The head of the table.
pub const HEAD: &str = "\
| nodes | case | conns | Quorate/s | p99 ms | etcd/s | p99 ms | bare/s | p99 ms | × etcd | × bare | floor |
|--:|:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|:--|";

/// The samples of one case, one of each server per round.
#[derive(Default)]
pub struct Rounds {
    /// Ours.
    pub quorate: Vec<Sample>,
    /// etcd's.
    pub etcd: Vec<Sample>,
    /// hyper's.
    pub bare: Vec<Sample>,
}

impl Rounds {
    /// A line of the table, and whether the floor was missed.
    pub fn row(&self, nodes: usize, case: Case, connections: usize) -> (String, bool) {
        let etcd = self.ratios(&self.etcd);
        let floor = case.floor(nodes).filter(|_| connections == 64);
        let missed = floor.is_some_and(|floor| median(&etcd) < floor);
        let floor = floor.map_or_else(String::new, |floor| {
            format!("≥ {floor} {}", if missed { "MISSED" } else { "holds" })
        });
        let row = format!(
            "| {nodes} | {} | {connections} | {} | {} | {} | {} | {floor} |",
            case.name(),
            server(&self.quorate),
            server(&self.etcd),
            server(&self.bare),
            spread(&etcd, 2) + " | " + &spread(&self.ratios(&self.bare), 2),
        );
        (row, missed)
    }

    /// Round by round: what the machine does to one it mostly does to all.
    fn ratios(&self, other: &[Sample]) -> Vec<f64> {
        self.quorate.iter().zip(other).map(|(ours, theirs)| ours.rate / theirs.rate).collect()
    }
}

fn server(samples: &[Sample]) -> String {
    let rates: Vec<f64> = samples.iter().map(|sample| sample.rate).collect();
    let p99s: Vec<f64> = samples.iter().map(|sample| sample.p99).collect();
    format!("{} | {:.1}", spread(&rates, 0), median(&p99s))
}
