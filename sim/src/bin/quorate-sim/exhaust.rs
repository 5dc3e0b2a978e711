//! `exhaust`: every interleaving up to a depth.

use std::io::IsTerminal;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use quorate_sim::exhaustive::{Exploration, Scene, explore};

use crate::arguments::Exhaust;

/// Plays every scene in every way and prints what was tried; whether nothing failed.
pub fn exhaust(exhaust: &Exhaust) -> Result<bool, String> {
    let &Exhaust { depth, first, jobs, .. } = exhaust;
    let scenes = Scene::all().into_iter().filter(|scene| scene.name.contains(&exhaust.scene));
    let explored = scenes.map(|scene| Exploration { scene, depth, anywhere: !first, lie: None });
    let scenes: Vec<Exploration> = explored.collect();
    if scenes.is_empty() {
        let names: Vec<&str> = Scene::all().iter().map(|scene| scene.name).collect();
        return Err(format!("no scene is called {:?}; there are {names:?}", exhaust.scene));
    }
    let whence = if first { "first choices" } else { "choices anywhere" };
    println!("{} scenes, every way in which {depth} {whence} may go", scenes.len());
    let (bar, begun) = (bar(), Instant::now());
    let explored = explore(&scenes, jobs, |sheet| {
        let rate = sheet.schedules as f64 / begun.elapsed().as_secs_f64();
        bar.set_message(format!("{} schedules, {rate:.0}/s", sheet.schedules));
        bar.tick();
    });
    bar.finish_and_clear();
    let seconds = begun.elapsed().as_secs_f64();
    match explored {
        Ok(sheet) => {
            print!("{sheet}");
            let rate = sheet.schedules as f64 / seconds;
            println!("speed       {rate:.0} schedules/s, {seconds:.1} s on {jobs} threads");
            println!("failures    none");
            Ok(true)
        }
        Err(found) => {
            println!("FAILED {found}");
            let (scene, first) = (found.scene, if first { " --first" } else { "" });
            println!("see it again   quorate-sim exhaust --depth {depth}{first} --scene {scene:?}");
            Ok(false)
        }
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}").expect("sound");
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr_with_hz(4),
        false => ProgressDrawTarget::hidden(),
    };
    ProgressBar::with_draw_target(None, target).with_style(style)
}
