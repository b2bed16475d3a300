//! Sign-in, validation and refresh over HTTP, in turns on deployments that differ in one setting. Other load on the machine
//! affects all of them equally.

use std::path::Path;
use std::time::{Duration, Instant};

use holdfast_e2e::{Api, Deployment, Person, SignedIn};

use crate::figures::{Times, figure, ratio};

const SIGN_INS: usize = 60;
const REFRESHES: usize = 150;
const VALIDATIONS: usize = 1_000;
/// Before anything is counted: functions start, copies are filled.
const WARM_UP: usize = 20;
/// Callers at once, and for how long.
const CALLERS: usize = 8;
const RUSH: Duration = Duration::from_secs(10);

struct Side {
    name: String,
    deployment: Deployment,
    api: Api,
    person: Person,
    session: SignedIn,
    sign_ins: Times,
    validations: Times,
    refreshes: Times,
}

type Done = Result<(), String>;

impl Side {
    async fn new(place: &str) -> Result<Self, String> {
        let (name, outputs) = place.split_once('=').ok_or("a deployment is NAME=OUTPUTS.json")?;
        let deployment = Deployment::read(Path::new(outputs)).map_err(|fault| fault.to_string())?;
        let api = Api::new(&deployment).await.map_err(|fault| fault.to_string())?;
        let person = Person::random();
        api.register(&person).await.and_then(|reply| reply.expect(201)).map_err(|fault| fault.to_string())?;
        let session = api.sign_in(&person, "bench").await.map_err(|fault| fault.to_string())?;
        let times = Times::default;
        Ok(Self {
            name: name.to_owned(),
            deployment,
            api,
            person,
            session,
            sign_ins: times(),
            validations: times(),
            refreshes: times(),
        })
    }

    async fn sign_in(&mut self) -> Done {
        let began = Instant::now();
        self.session = self.api.sign_in(&self.person, "bench").await.map_err(|fault| fault.to_string())?;
        self.sign_ins.push(began.elapsed());
        Ok(())
    }

    async fn validate(&mut self) -> Done {
        let reply = self.api.current(&self.session.access).await.and_then(|reply| reply.expect(200));
        self.validations.push(reply.map_err(|fault| fault.to_string())?.elapsed);
        Ok(())
    }

    async fn refresh(&mut self) -> Done {
        let reply = self.api.refresh(&self.session.refresh).await.and_then(|reply| reply.expect(200));
        let reply = reply.map_err(|fault| fault.to_string())?;
        self.refreshes.push(reply.elapsed);
        self.session = SignedIn::from_reply(&reply).map_err(|fault| fault.to_string())?;
        Ok(())
    }

    fn forget(&mut self) {
        for times in [&mut self.sign_ins, &mut self.validations, &mut self.refreshes] {
            *times = Times::default();
        }
    }

    /// Validations a second with several callers, each waiting for its answer before it asks again.
    async fn rush(&self) -> Result<f64, String> {
        let began = Instant::now();
        let mut callers = Vec::new();
        for _ in 0..CALLERS {
            let api = Api::new(&self.deployment).await.map_err(|fault| fault.to_string())?;
            let access = self.session.access.clone();
            callers.push(tokio::spawn(async move {
                let mut done = 0_u32;
                while began.elapsed() < RUSH {
                    api.current(&access)
                        .await
                        .and_then(|reply| reply.expect(200))
                        .map_err(|fault| fault.to_string())?;
                    done += 1;
                }
                Ok::<_, String>(done)
            }));
        }
        let mut done = 0_u32;
        for caller in callers {
            done += caller.await.map_err(|error| error.to_string())??;
        }
        Ok(f64::from(done) / began.elapsed().as_secs_f64())
    }
}

pub(crate) async fn run(places: &[&str]) -> Done {
    let mut sides = Vec::new();
    for place in places {
        sides.push(Side::new(place).await?);
    }
    eprintln!("warming up");
    for _ in 0..WARM_UP {
        for side in &mut sides {
            side.validate().await?;
            side.refresh().await?;
        }
    }
    sides.iter_mut().for_each(Side::forget);
    eprintln!("{SIGN_INS} sign-ins, {REFRESHES} refreshes and {VALIDATIONS} validations of each, in turns");
    for _ in 0..SIGN_INS {
        for side in &mut sides {
            side.sign_in().await?;
        }
    }
    for _ in 0..REFRESHES {
        for side in &mut sides {
            side.refresh().await?;
        }
    }
    for _ in 0..VALIDATIONS {
        for side in &mut sides {
            side.validate().await?;
        }
    }
    report(&sides);
    eprintln!("{CALLERS} callers at once, {} s each", RUSH.as_secs());
    let mut rates = Vec::new();
    for side in &sides {
        rates.push(side.rush().await?);
        figure(&format!("validation, {CALLERS} callers, {}", side.name), "rate", rates[rates.len() - 1], "a second");
    }
    if let ([one, other], [ours, theirs]) = (sides.as_slice(), rates.as_slice()) {
        ratio(&format!("rate with {}", one.name), &format!("with {}", other.name), *ours, *theirs);
    }
    Ok(())
}

/// Which times of a side.
type Measured = fn(&Side) -> &Times;

fn report(sides: &[Side]) {
    let kinds: [(&str, Measured); 3] = [
        ("validation", |side| &side.validations),
        ("sign-in", |side| &side.sign_ins),
        ("refresh", |side| &side.refreshes),
    ];
    for (kind, of) in kinds {
        for side in sides {
            of(side).print(&format!("{kind}, {}", side.name));
            if kind != "sign-in" {
                of(side).curve(&format!("{kind} over HTTP"), &side.name);
            }
        }
        if let [one, other] = sides {
            ratio(
                &format!("{kind} with {}", one.name),
                &format!("with {}, p50", other.name),
                of(one).quantile_ms(0.5),
                of(other).quantile_ms(0.5),
            );
        }
    }
}
