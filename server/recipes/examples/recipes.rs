//! Every recipe, to try by hand against a cluster of Quorate or of etcd v2.

use std::cell::RefCell;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use quorate_recipes::balance::Balance;
use quorate_recipes::condition::{self, Rule};
use quorate_recipes::config::{self, Subscription};
use quorate_recipes::directory::{Change, Follower};
use quorate_recipes::election::{Observer, campaign};
use quorate_recipes::guarded;
use quorate_recipes::http::Http;
use quorate_recipes::index_builder::{self, Outcome};
use quorate_recipes::lease::Lease;
use quorate_recipes::monitor::Monitor;
use quorate_recipes::registry::{self, Discovery};
use quorate_recipes::{Failure, Reply, Request, Store, fair_lock, lock, queue};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::signal::ctrl_c;

type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Recipes over the v2 tree. Each keeps its keys under /recipes.
#[derive(Parser)]
struct Flags {
    /// Members of the cluster: URLs, with commas between them.
    #[arg(long, value_delimiter = ',', default_value = "http://127.0.0.1:2379")]
    endpoints: Vec<String>,
    /// Time to live of what a process keeps alive, in s.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    ttl: u64,
    #[command(subcommand)]
    recipe: Recipe,
}

#[derive(Subcommand)]
enum Recipe {
    /// Run a command while holding a lock; it is killed if the lock is lost.
    Lock {
        name: String,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// The same, in the order of asking.
    FairLock {
        name: String,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Take a lock and write each line of the input to a resource that it guards.
    Guard { name: String },
    /// Register an instance of a service, until Ctrl-C.
    Register { service: String, address: String },
    /// Print the instances of a service whenever they change.
    Discover { service: String },
    /// Print who comes, leaves and vanishes among the instances of a service.
    Monitor { service: String },
    /// Publish a setting.
    Publish { name: String, value: String },
    /// Print a setting whenever it changes.
    Subscribe { name: String },
    /// Put an item into a queue.
    Enqueue { name: String, item: String },
    /// Take an item from a queue, waiting for one.
    Dequeue { name: String },
    /// Put a task into a barrier and wait until it opens.
    Barrier {
        name: String,
        task: String,
        /// Open when so many tasks are there.
        #[arg(long, conflicts_with = "first")]
        size: Option<usize>,
        /// Open when this task is there. Without either: when `signal` is given.
        #[arg(long)]
        first: Option<String>,
    },
    /// Open a barrier.
    Signal { name: String },
    /// Stand for election, lead until Ctrl-C, resign.
    Elect { office: String, candidate: String },
    /// Print who leads whenever it changes.
    Observe { office: String },
    /// Build a version of an index, if elected and nobody has; print it.
    BuildIndex { name: String, builder: String, version: u64 },
    /// Read a key from all members in turn.
    Balance {
        key: String,
        #[arg(long, default_value_t = 10)]
        times: u32,
    },
    /// Print every change below a key.
    Follow { key: String },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Flags::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("recipes: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Flags { endpoints, ttl, recipe }: Flags) -> Done<ExitCode> {
    let store = &Told(Http::new(endpoints.clone())?, RefCell::default());
    match recipe {
        Recipe::Lock { name, command } => {
            let lease = lock::acquire(store, &format!("/recipes/lock/{name}"), ttl).await?;
            return run_holding(store, lease, &command).await;
        }
        Recipe::FairLock { name, command } => {
            let lease = fair_lock::acquire(store, &format!("/recipes/fair/{name}"), ttl).await?;
            return run_holding(store, lease, &command).await;
        }
        Recipe::Guard { name } => guard(store, &name, ttl).await?,
        Recipe::Register { service, address } => register(store, &service, &address, ttl).await?,
        Recipe::Discover { service } => discover(store, &service).await?,
        Recipe::Monitor { service } => monitor(store, &service).await?,
        Recipe::Publish { name, value } => {
            let version =
                config::publish(store, &format!("/recipes/config/{name}"), &value).await?;
            println!("version {version}");
        }
        Recipe::Subscribe { name } => subscribe(store, &name).await?,
        Recipe::Enqueue { name, item } => {
            println!("{}", queue::enqueue(store, &format!("/recipes/queue/{name}"), &item).await?);
        }
        Recipe::Dequeue { name } => {
            println!("{}", queue::take(store, &format!("/recipes/queue/{name}")).await?.body);
        }
        Recipe::Barrier { name, task, size, first } => {
            let rule = size.map(Rule::Size).or(first.map(Rule::Task)).unwrap_or(Rule::Signal);
            barrier(store, &name, &task, &rule).await?;
        }
        Recipe::Signal { name } => {
            let dir = format!("/recipes/barrier/{name}");
            println!("generation {} may go", condition::signal(store, &dir).await?);
        }
        Recipe::Elect { office, candidate } => elect(store, &office, &candidate, ttl).await?,
        Recipe::Observe { office } => observe(store, &office).await?,
        Recipe::BuildIndex { name, builder, version } => {
            build_index(store, &name, &builder, version, ttl).await?;
        }
        Recipe::Balance { key, times } => balance(&endpoints, &key, times).await?,
        Recipe::Follow { key } => follow(store, &key).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A store that says why it is taking so long, each reason once in a row.
struct Told(Http, RefCell<String>);

impl Store for Told {
    async fn request(&self, request: Request) -> Result<Reply, Failure> {
        let answer = self.0.request(request).await;
        let said = match &answer {
            Ok(_) | Err(Failure::Refused(_)) => String::new(),
            Err(failure) => format!("trying on: {failure}"),
        };
        if !said.is_empty() && *self.1.borrow() != said {
            eprintln!("{said}");
        }
        self.1.replace(said);
        answer
    }

    async fn sleep(&self, ms: u64) {
        self.0.sleep(ms).await;
    }

    fn now_ms(&self) -> u64 {
        self.0.now_ms()
    }

    fn random(&self) -> u64 {
        self.0.random()
    }
}

/// Runs a command for as long as the lease is held; its exit code.
async fn run_holding(store: &Told, mut lease: Lease, command: &[String]) -> Done<ExitCode> {
    eprintln!("held, token {}", lease.token);
    let mut command_line = tokio::process::Command::new(&command[0]);
    command_line.args(&command[1..]).kill_on_drop(true).env("TOKEN", lease.token.to_string());
    let work = async { command_line.spawn()?.wait().await };
    let done = lease.hold(store, work).await?;
    lease.release(store).await?;
    let status = done.ok_or("the lock was lost, and the command killed")?;
    let status = status.map_err(|error| format!("{}: {error}", command[0]))?;
    Ok(ExitCode::from(status.code().and_then(|code| code.try_into().ok()).unwrap_or(1)))
}

async fn guard(store: &Told, name: &str, ttl: u64) -> Done {
    let mut lease = lock::acquire(store, &format!("/recipes/guard/{name}/lock"), ttl).await?;
    eprintln!("held, token {}; each line is written", lease.token);
    let (key, token) = (format!("/recipes/guard/{name}/resource"), lease.token);
    let work = async {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        let taken = guarded::take_over(store, &key, token).await?;
        let mut writer = taken.ok_or("another has taken over")?;
        while let Some(line) = lines.next_line().await? {
            writer.write(store, &line).await?.map_err(|_| "another has taken over")?;
            println!("written at index {}", writer.index());
        }
        Done::Ok(())
    };
    let done = lease.hold(store, work).await?;
    lease.release(store).await?;
    done.ok_or("the lock was lost")?
}

async fn register(store: &Told, service: &str, address: &str, ttl: u64) -> Done {
    let service = format!("/recipes/services/{service}");
    let mut registration = registry::register(store, &service, address, ttl).await?;
    println!("registered as {}", registration.key());
    tokio::select! {
        refused = registration.serve(store) => match refused? {},
        _ = ctrl_c() => registration.deregister(store).await?,
    }
    Ok(())
}

async fn discover(store: &Told, service: &str) -> Done {
    let mut discovery = Discovery::new(&format!("/recipes/services/{service}"));
    loop {
        let instances = discovery.next(store).await?;
        let addresses: Vec<_> = instances.iter().map(|it| it.address.as_str()).collect();
        println!("{} instances: {}", instances.len(), addresses.join(" "));
    }
}

async fn monitor(store: &Told, service: &str) -> Done {
    let mut monitor = Monitor::new(&format!("/recipes/services/{service}"));
    loop {
        for sighting in monitor.next(store).await? {
            println!("{sighting:?}");
        }
    }
}

async fn subscribe(store: &Told, name: &str) -> Done {
    let mut subscription = Subscription::new(&format!("/recipes/config/{name}"));
    loop {
        let setting = subscription.next(store).await?;
        let value = setting.value.as_deref().unwrap_or("(not set)");
        println!("version {}: {value}", setting.version);
    }
}

async fn barrier(store: &Told, name: &str, task: &str, rule: &Rule) -> Done {
    let dir = format!("/recipes/barrier/{name}");
    let member = condition::join(store, &dir, task).await?;
    eprintln!("task {task} waits in generation {}", member.generation);
    condition::wait(store, &dir, &member, rule).await?;
    println!("task {task} may go, generation {}", member.generation);
    Ok(())
}

async fn elect(store: &Told, office: &str, candidate: &str, ttl: u64) -> Done {
    let office = format!("/recipes/election/{office}");
    let mut lease = campaign(store, &office, candidate, ttl).await?;
    println!("{candidate} leads, term {}", lease.token);
    let resigned = lease.hold(store, ctrl_c()).await?;
    lease.release(store).await?;
    println!("{}", if resigned.is_some() { "resigned" } else { "deposed" });
    Ok(())
}

async fn observe(store: &Told, office: &str) -> Done {
    let mut observer = Observer::new(&format!("/recipes/election/{office}"));
    loop {
        match observer.next(store).await? {
            Some(leader) => println!("{} leads, term {}", leader.name, leader.term),
            None => println!("nobody leads"),
        }
    }
}

async fn build_index(store: &Told, name: &str, builder: &str, version: u64, ttl: u64) -> Done {
    let dir = format!("/recipes/index/{name}");
    let build = async || {
        eprintln!("{builder} builds version {version}, which takes three seconds");
        store.sleep(3_000).await;
        format!("built by {builder}")
    };
    let outcome = index_builder::ensure(store, &dir, builder, version, ttl, build).await?;
    let (there, index) = index_builder::fetch(store, &dir, version).await?;
    match outcome {
        Outcome::Built(at) => println!("{builder} published version {version} at index {at}"),
        Outcome::There => println!("version {version} was there"),
    }
    println!("version {there}: {index}");
    Ok(())
}

async fn balance(endpoints: &[String], key: &str, times: u32) -> Done {
    let members = endpoints.iter().map(|url| Http::new([url])).collect::<Result<_, _>>()?;
    let mut balance = Balance::new(members);
    for _ in 0..times {
        let fresh = balance.read(key).await?;
        let value = fresh.node.map(|node| node.text().to_owned());
        println!("{} at index {}: {value:?}", endpoints[fresh.member], fresh.index);
    }
    Ok(())
}

async fn follow(store: &Told, key: &str) -> Done {
    let mut follower = Follower::new(key);
    loop {
        match follower.next(store).await? {
            Change::Listing { index, nodes } => println!("{index} listing: {} keys", nodes.len()),
            Change::Event(event) => {
                let value = event.node.text();
                println!(
                    "{} {} {} {value}",
                    event.node.modified_index, event.action, event.node.key
                );
            }
        }
    }
}
