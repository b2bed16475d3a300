//! The whole path in one go, as `holdfast-smoke` runs it after every deploy.

use holdfast_e2e::path::{Plan, Walker, play};

use crate::world::World;

#[tokio::test]
async fn the_path_from_registering_to_the_last_socket_closed() {
    let world = World::open().await;
    let plan = Plan { walker: Walker::Newcomer, max_sessions: 5, wrong_password: true };
    let mut steps = Vec::new();
    Box::pin(play(&world.deployment, &world.api, &plan, &mut |step| steps.push((step.name, step.skipped))))
        .await
        .unwrap();
    assert!(steps.len() >= 20, "{steps:?}");
    assert!(steps.iter().all(|(_, skipped)| skipped.is_none()), "{steps:?}");
}
