//! A route that shows the session of its caller: axum, tower-sessions and its store for Redis, on Lambda by lambda_http.
//! `POST /login` makes the session from the JSON that it gets.

use axum::Json;
use axum::http::StatusCode;
use axum::routing::{get, post};
use lambda_http::Error;
use serde_json::{Value, json};
use tower_sessions::{Session, SessionManagerLayer};
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike as _, Config, Pool};

async fn login(session: Session, Json(shown): Json<Value>) -> Result<Json<Value>, StatusCode> {
    session.insert("shown", shown).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Json(json!({})))
}

async fn current(session: Session) -> Result<Json<Value>, StatusCode> {
    let shown = session.get("shown").await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    shown.map(Json).ok_or(StatusCode::UNAUTHORIZED)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let server = Config::from_url(&std::env::var("REDIS_URL")?)?;
    // One connection, as an environment of Lambda serves one request at a time.
    let pool = Pool::new(server, None, None, None, 1)?;
    pool.connect();
    pool.wait_for_connect().await?;
    let app = axum::Router::new()
        .route("/login", post(login))
        .route("/v1/sessions/current", get(current))
        .layer(SessionManagerLayer::new(RedisStore::new(pool)));
    lambda_http::run(app).await
}
