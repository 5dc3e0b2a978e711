//! The table: medians, spreads, ratios, floors.

use crate::figures::{median, spread};
use crate::server::Kind;

/// The head of the table.
pub const HEAD: &str = "\
| what | Quorate | etcd | Quorate ÷ etcd | floor |
|:--|--:|--:|--:|:--|";

/// What is measured, with its unit.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What, in which unit.
    pub name: &'static str,
    /// Digits behind the point.
    pub digits: usize,
    /// What Quorate must reach.
    pub floor: Option<Floor>,
}

/// What Quorate must reach.
#[derive(Clone, Copy, Debug)]
pub enum Floor {
    /// A number that it must not exceed.
    AtMost(f64),
    /// A multiple of etcd's number.
    TimesEtcd(f64),
}

/// One sample of a row.
pub type Figure = (Row, f64);

/// All samples, by row.
#[derive(Default)]
pub struct Table {
    rows: Vec<(Row, [Vec<f64>; 2])>,
}

impl Table {
    /// Takes the figures of one round of one server.
    pub fn add(&mut self, kind: Kind, figures: Vec<Figure>) {
        for (row, value) in figures {
            let known = self.rows.iter().position(|(known, _)| known.name == row.name);
            let at = known.unwrap_or_else(|| {
                self.rows.push((row, Default::default()));
                self.rows.len() - 1
            });
            self.rows[at].1[kind as usize].push(value);
        }
    }

    /// The lines of the table, and how many floors were missed.
    pub fn lines(&self) -> (Vec<String>, usize) {
        let lines: Vec<_> = self.rows.iter().map(|(row, samples)| row.line(samples)).collect();
        let missed = lines.iter().filter(|(_, missed)| *missed).count();
        (lines.into_iter().map(|(line, _)| line).collect(), missed)
    }
}

impl Row {
    fn line(&self, [quorate, etcd]: &[Vec<f64>; 2]) -> (String, bool) {
        // Round by round: what the machine does to one it mostly does to both.
        let ratios: Vec<f64> =
            quorate.iter().zip(etcd).map(|(ours, theirs)| ours / theirs).collect();
        let (said, missed) = match self.floor {
            None => (String::new(), false),
            Some(Floor::AtMost(most)) => (format!("≤ {most} "), median(quorate) > most),
            Some(Floor::TimesEtcd(least)) => (format!("≥ {least} × "), median(&ratios) < least),
        };
        let verdict = match (self.floor, missed) {
            (None, _) => "",
            (_, true) => "MISSED",
            (_, false) => "holds",
        };
        let line = format!(
            "| {} | {} | {} | {} | {said}{verdict} |",
            self.name,
            spread(quorate, self.digits),
            spread(etcd, self.digits),
            spread(&ratios, 2),
        );
        (line, missed)
    }
}
