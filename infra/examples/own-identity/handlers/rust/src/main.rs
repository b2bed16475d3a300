//! `GET /login` and `GET /callback`.

use std::time::SystemTime;

use example_own_identity::{App, Event, Settings};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    // The clients are created once for the process.
    let app = App::new(settings, &aws_config::load_from_env().await)?;
    run(service_fn(async |event: LambdaEvent<Event>| {
        Ok::<_, Error>(app.handle(&event.payload, SystemTime::now()).await)
    }))
    .await
}
