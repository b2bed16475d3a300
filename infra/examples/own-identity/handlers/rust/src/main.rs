//! `GET /login` and `GET /callback`.

use std::time::SystemTime;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use example_own_identity::{App, Event, Settings};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    // Lambda sets these. The chain of `aws_config::load_from_env` would need the HTTP client of the SDK.
    let region = std::env::var("AWS_REGION").map_err(|_| "AWS_REGION is not set.")?;
    let mut config = SdkConfig::builder();
    config.set_region(Region::new(region)).set_endpoint_url(std::env::var("AWS_ENDPOINT_URL").ok());
    config
        .set_credentials_provider(Some(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new())));
    // The clients are created once for the process.
    let app = App::new(settings, &config.build())?;
    run(service_fn(async |event: LambdaEvent<Event>| {
        Ok::<_, Error>(app.handle(&event.payload, SystemTime::now()).await)
    }))
    .await
}
