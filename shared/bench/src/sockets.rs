//! How long a socket outlives its session, and how long a message takes to its socket.

use std::path::Path;
use std::time::Instant;

use holdfast_e2e::path::open_socket;
use holdfast_e2e::{Api, Deployment, Person, SignedIn, Socket};
use serde_json::json;

use crate::figures::Times;

const ROUNDS: usize = 300;
/// Before anything is counted: functions start.
const WARM_UP: usize = 5;

type Done<T = ()> = Result<T, String>;

async fn signed_in(api: &Api, person: &Person) -> Done<(SignedIn, Socket)> {
    let session = api.sign_in(person, "bench").await.map_err(|fault| fault.to_string())?;
    let socket = open_socket(api, &session.access, "bench").await.map_err(|fault| fault.to_string())?;
    Ok((session, socket))
}

/// A session with a socket is ended; from the answer to the close.
async fn close(api: &Api, person: &Person, times: &mut Times) -> Done {
    let (session, mut socket) = signed_in(api, person).await?;
    api.log_out(&session.access).await.and_then(|reply| reply.expect(200)).map_err(|fault| fault.to_string())?;
    let answered = Instant::now();
    socket.expect_closed().await.map_err(|fault| fault.to_string())?;
    times.push(answered.elapsed());
    Ok(())
}

/// A message to a user with one socket; from before it is sent until it is there.
async fn deliver(api: &Api, user: &str, socket: &mut Socket, times: &mut Times) -> Done {
    let body = json!({"to": {"userIds": [user]}, "kind": "note", "data": {"text": "bench"}});
    let began = Instant::now();
    let reply = api.publish(&body).await.and_then(|reply| reply.expect(202)).map_err(|fault| fault.to_string())?;
    let id = reply.text("/messageId").map_err(|fault| fault.to_string())?;
    socket.expect_message(&id).await.map_err(|fault| fault.to_string())?;
    times.push(began.elapsed());
    Ok(())
}

pub(crate) async fn run(outputs: &str) -> Done {
    let deployment = Deployment::read(Path::new(outputs)).map_err(|fault| fault.to_string())?;
    let api = Api::new(&deployment).await.map_err(|fault| fault.to_string())?;
    let person = Person::random();
    api.register(&person).await.and_then(|reply| reply.expect(201)).map_err(|fault| fault.to_string())?;
    eprintln!("{ROUNDS} logouts with a socket open");
    let mut closes = Times::default();
    for _ in 0..WARM_UP {
        close(&api, &person, &mut Times::default()).await?;
    }
    for _ in 0..ROUNDS {
        close(&api, &person, &mut closes).await?;
    }
    closes.print("logout answered → socket closed");
    closes.curve("a socket after its session", "logout answered → socket closed");
    eprintln!("{ROUNDS} messages to one user");
    let (session, mut socket) = signed_in(&api, &person).await?;
    let mut messages = Times::default();
    for _ in 0..WARM_UP {
        deliver(&api, &session.user_id, &mut socket, &mut Times::default()).await?;
    }
    for _ in 0..ROUNDS {
        deliver(&api, &session.user_id, &mut socket, &mut messages).await?;
    }
    messages.print("publish sent → frame received");
    messages.curve("a message to its socket", "publish sent → frame received");
    Ok(())
}
