//! Carrying out a plan.

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use quorate_engine::NodeId;
use rustix::process::Signal;

use super::cluster::{Cluster, Member};
use super::links::Links;
use super::record::Record;
use super::schedule::{self, Blow};
use crate::weather::Broken;

/// Does to the cluster what the plan says.
pub(super) struct Nemesis<'a> {
    pub cluster: &'a mut Cluster,
    pub links: &'a Links,
    pub record: &'a Record,
    /// When the last member so far went down for good, in ns of the record.
    pub down_since: Option<u64>,
    /// How often it has done harm.
    pub faults: &'a mut usize,
}

impl Nemesis<'_> {
    /// Every blow at its time, in ms since `began`, as long as nothing has failed. A
    /// process that ends by itself has failed.
    pub fn rage(&mut self, blows: &[(u64, Blow)], began: Instant) -> Result<(), String> {
        for (at_ms, blow) in blows {
            self.wait_until(began + Duration::from_millis(*at_ms))?;
            if self.record.has_failed() {
                return Ok(());
            }
            self.strike(blow)?;
        }
        Ok(())
    }

    /// Looks meanwhile whether all processes that should run do.
    pub fn wait_until(&mut self, then: Instant) -> Result<(), String> {
        const GLANCE: Duration = Duration::from_millis(100);
        loop {
            self.cluster.check()?;
            let left = then.saturating_duration_since(Instant::now());
            if left.is_zero() || self.record.has_failed() {
                return Ok(());
            }
            sleep(left.min(GLANCE));
        }
    }

    /// The storm is over: all that is not down for good comes back and is well, but for
    /// what stays broken.
    pub fn calm(&mut self, broken: &[Broken]) -> Result<(), String> {
        self.links.calm();
        let ids: Vec<NodeId> = self.cluster.up().map(|member| member.id).collect();
        for id in ids {
            self.cluster.member(id).signal(Signal::CONT);
            self.start(id)?;
        }
        let nodes = self.cluster.members.len() as u64;
        for broken in broken {
            if let Some(blow) = schedule::breaks(broken, nodes) {
                self.cluster.member(broken.node).broken = true;
                self.strike(&blow)?;
            }
        }
        Ok(())
    }

    /// One that was down for good comes back after all.
    pub fn revive(&mut self) -> Result<(), String> {
        let mut members = self.cluster.members.iter_mut();
        let down = members.find(|member| member.down && !member.broken);
        let Some(member) = down else { return Ok(()) };
        member.down = false;
        let id = member.id;
        self.start(id)
    }

    /// Every member dies, something is done to its data, and it starts again.
    fn while_all_are_dead(&mut self, act: fn(&Member) -> io::Result<()>) -> Result<(), String> {
        let ids: Vec<NodeId> = self.cluster.up().map(|member| member.id).collect();
        ids.iter().for_each(|id| self.cluster.member(*id).kill());
        for member in self.cluster.up() {
            act(member).map_err(|error| format!("n{}'s data: {error}", member.id))?;
        }
        ids.iter().try_for_each(|id| self.start(*id))
    }

    /// Starts a member, unless it runs or is down for good.
    fn start(&mut self, id: NodeId) -> Result<(), String> {
        let member = self.cluster.member(id);
        if member.down || member.runs() {
            return Ok(());
        }
        self.record.begin_life(id);
        member.start()
    }

    fn strike(&mut self, blow: &Blow) -> Result<(), String> {
        // A member that is dead already is not killed again.
        let hits = match blow {
            Blow::Cut(..) => true,
            Blow::Kill(id) | Blow::Stop(id) | Blow::Down(id) => self.cluster.member(*id).runs(),
            Blow::Join(..) | Blow::Start(_) | Blow::Continue(_) | Blow::Copy | Blow::Forget => {
                false
            }
        };
        *self.faults += usize::from(hits);
        match blow {
            Blow::Cut(links, way) => self.links.cut(links, *way),
            Blow::Join(links, way) => self.links.join(links, *way),
            Blow::Kill(id) => self.cluster.member(*id).kill(),
            Blow::Start(id) => self.start(*id)?,
            Blow::Stop(id) => self.cluster.member(*id).signal(Signal::STOP),
            Blow::Continue(id) => self.cluster.member(*id).signal(Signal::CONT),
            Blow::Down(id) => {
                let member = self.cluster.member(*id);
                member.down = true;
                member.kill();
                self.down_since = Some(self.record.now());
            }
            Blow::Copy => self.while_all_are_dead(Member::keep_copy)?,
            Blow::Forget => self.while_all_are_dead(Member::take_copy)?,
        }
        Ok(())
    }
}
