//! What each command of operators does, and what its answer says.

use holdfast_sessions::account::{Account, Status};

use super::*;

async fn account(desk: &Desk) -> Account {
    desk.world.store.user(desk.world.user).await.unwrap().unwrap().account
}

async fn can_sign_in(desk: &Desk, password: &str) -> bool {
    let request = SignInRequest {
        email: desk.world.email.clone(),
        password: password.into(),
        ip: holdfast_testkit::world::HOME.into(),
        ..SignInRequest::default()
    };
    desk.world.sign_in().sign_in(&request).await.is_ok()
}

#[tokio::test]
async fn a_second_factor_is_reset_and_every_session_ends() {
    let desk = Desk::new().await;
    desk.world.armed().await;
    assert!(account(&desk).await.mfa.enabled.is_some());
    let (answer, recorded) = desk.run(json!({"action": "reset-mfa", "userId": desk.user()})).await;
    assert_eq!(
        (&answer["ok"], &answer["revoked"], &answer["effective"]),
        (&json!(true), &json!(1), &json!("immediate"))
    );
    assert!(account(&desk).await.mfa.enabled.is_none(), "the answer says that it was reset");
    assert_eq!(live(&desk.world).await.len(), 0);
    assert!(recorded.log.contains(&"INFO command done".to_owned()), "{recorded:?}");
}

#[tokio::test]
async fn a_disabled_user_has_no_session_and_gets_none_until_enabled() {
    let desk = Desk::new().await;
    let (answer, _) = desk.run(json!({"action": "disable", "userId": desk.user()})).await;
    assert_eq!((&answer["ok"], &answer["revoked"]), (&json!(true), &json!(1)));
    assert_eq!((account(&desk).await.status, live(&desk.world).await.len()), (Status::Disabled, 0));
    assert!(!can_sign_in(&desk, desk.world.password()).await);
    let (answer, _) = desk.run(json!({"action": "list", "userId": desk.user()})).await;
    assert_eq!(answer["user"]["status"], "DISABLED");
    let (answer, _) = desk.run(json!({"action": "enable", "userId": desk.user()})).await;
    assert_eq!((&answer["ok"], account(&desk).await.status), (&json!(true), Status::Active));
    assert!(can_sign_in(&desk, desk.world.password()).await);
}

#[tokio::test]
async fn one_session_ends_or_all_of_them() {
    let desk = Desk::new().await;
    let other = another_session(&desk.world).await;
    let sid = desk.world.session.slot.sid.to_string();
    let (answer, _) = desk.run(json!({"action": "end", "email": desk.world.email, "sessionId": sid})).await;
    assert_eq!((&answer["ok"], &answer["revoked"]), (&json!(true), &json!(1)));
    let left = live(&desk.world).await;
    assert_eq!(left.iter().map(|slot| slot.sid).collect::<Vec<_>>(), [other.slot.sid]);
    let (answer, recorded) = desk.run(json!({"action": "end", "userId": desk.user(), "sessionId": sid})).await;
    let error = &answer["error"];
    assert_eq!((&answer["ok"], &error["code"], &error["status"]), (&json!(false), &json!("NOT_FOUND"), &json!(404)));
    assert!(error["title"].is_string() && error["detail"].is_string());
    assert_eq!(recorded.counts.get("NOT_FOUND"), Some(&1));
    let (answer, _) = desk.run(json!({"action": "end-all", "userId": desk.user()})).await;
    assert_eq!((&answer["revoked"], live(&desk.world).await.len()), (&json!(1), 0));
    assert!(can_sign_in(&desk, desk.world.password()).await, "the account is as it was");
}

#[tokio::test]
async fn a_device_is_trusted_no_more_and_its_session_stays() {
    let desk = Desk::new().await;
    desk.world.armed().await;
    trusted(&desk.world).await;
    let (listed, _) = desk.run(json!({"action": "list", "userId": desk.user()})).await;
    let device = listed["devices"][0]["deviceId"].clone();
    let sessions = live(&desk.world).await.len();
    let remove = json!({"action": "remove-device", "userId": desk.user(), "deviceId": device});
    let (answer, recorded) = desk.run(remove.clone()).await;
    assert_eq!(answer, json!({"ok": true, "removed": 1, "effective": "immediate"}));
    assert!(recorded.log.contains(&"INFO device removed".to_owned()), "{recorded:?}");
    let (listed, _) = desk.run(json!({"action": "list", "userId": desk.user()})).await;
    assert_eq!((&listed["devices"], live(&desk.world).await.len()), (&json!([]), sessions));
    let (answer, _) = desk.run(remove).await;
    assert_eq!((&answer["ok"], &answer["error"]["code"]), (&json!(false), &json!("NOT_FOUND")));
}

#[tokio::test]
async fn an_operators_password_counts_and_ends_every_session() {
    let desk = Desk::new().await;
    let (answer, _) =
        desk.run(json!({"action": "set-password", "userId": desk.user(), "password": "another horse battery"})).await;
    assert_eq!((&answer["ok"], &answer["revoked"], live(&desk.world).await.len()), (&json!(true), &json!(1), 0));
    assert!(!can_sign_in(&desk, desk.world.password()).await && can_sign_in(&desk, "another horse battery").await);
    let (answer, _) =
        desk.run(json!({"action": "set-password", "userId": desk.user(), "password": "12345678901234567890"})).await;
    assert_eq!(answer["error"]["code"], "INVALID_REQUEST");
}

#[tokio::test]
async fn claims_are_set_and_seen_by_the_live_session() {
    let desk = Desk::new().await;
    let set = |claims: Value| json!({"action": "set-claims", "userId": desk.user(), "claims": claims});
    let (answer, recorded) = desk.run(set(json!({"role": "admin"}))).await;
    let expected = json!({"ok": true, "userId": desk.user(), "claims": {"role": "admin"}, "effective": "immediate"});
    assert_eq!(answer, expected);
    assert!(recorded.log.contains(&"INFO claims set".to_owned()), "{recorded:?}");
    let current = Call::new("GET", "/v1/sessions/current").bearer(&desk.world.access());
    let (answer, _) = serve("sessions-current", &desk.world, &current).await;
    assert_eq!((answer.status, &answer.body["claims"]), (200, &json!({"role": "admin"})));
    let (listed, _) = desk.run(json!({"action": "list", "userId": desk.user()})).await;
    assert_eq!(
        (&listed["user"]["claims"], &listed["sessions"][0]["claims"]),
        (&json!({"role": "admin"}), &json!({"role": "admin"}))
    );
    assert_eq!(desk.run(set(json!({}))).await.0["claims"], json!({}));
    let (answer, _) = serve("sessions-current", &desk.world, &current).await;
    assert_eq!((answer.status, &answer.body["claims"]), (200, &json!({})));
}

#[tokio::test]
async fn an_account_is_created_found_and_listed() {
    let desk = Desk::new().await;
    let create = json!({"action": "create", "email": "new@example.com", "password": "correct horse battery"});
    let (answer, recorded) = desk.run(create.clone()).await;
    let user = answer["user"].clone();
    assert_eq!((&answer["ok"], &user["status"], &user["mfaEnabled"]), (&json!(true), &json!("ACTIVE"), &json!(false)));
    assert!(recorded.log.contains(&"INFO account created".to_owned()));
    assert_eq!(desk.run(create).await.0["error"]["code"], "EMAIL_TAKEN");
    let (answer, _) = desk.run(json!({"action": "find", "email": "new@example.com"})).await;
    assert_eq!((&answer["user"], &answer["sessions"], &answer["devices"]), (&user, &json!([]), &json!([])));

    desk.world.armed().await;
    trusted(&desk.world).await;
    let (answer, _) = desk.run(json!({"action": "list", "email": desk.world.email})).await;
    assert_eq!((&answer["user"]["userId"], &answer["user"]["mfaEnabled"]), (&json!(desk.user()), &json!(true)));
    assert_eq!(answer["sessions"][0]["sessionId"], desk.world.session.slot.sid.to_string());
    assert_eq!((&answer["sessions"][0]["current"], &answer["devices"][0]["current"]), (&json!(false), &json!(false)));
}

#[tokio::test]
async fn a_deleted_user_is_gone_everywhere() {
    let desk = Desk::new().await;
    let (answer, _) = desk.run(json!({"action": "delete", "userId": desk.user()})).await;
    assert_eq!((&answer["ok"], &answer["revoked"]), (&json!(true), &json!(1)));
    assert!(desk.world.store.user(desk.world.user).await.unwrap().is_none());
    let user = desk.world.user;
    assert_eq!((desk.activity.calm.forgotten(), desk.channels.calm.forgotten()), (vec![user], vec![user]));
    for command in [
        json!({"action": "delete", "userId": desk.user()}),
        json!({"action": "find", "email": desk.world.email}),
        json!({"action": "list", "userId": desk.user()}),
    ] {
        assert_eq!(desk.run(command.clone()).await.0["error"]["code"], "NOT_FOUND", "{command}");
    }
}

#[tokio::test]
async fn attempts_are_shown_and_given_back() {
    let desk = Desk::new().await;
    for _ in 0..3 {
        assert!(!can_sign_in(&desk, "wrong").await);
    }
    let command =
        |action: &str| json!({"action": action, "email": desk.world.email, "ip": holdfast_testkit::world::HOME});
    let used = |answer: &Value| -> u64 {
        answer["attempts"].as_array().unwrap().iter().map(|budget| budget["count"].as_u64().unwrap()).sum()
    };
    let (answer, _) = desk.run(command("attempts")).await;
    assert!(used(&answer) >= 3, "{answer}");
    let first = &answer["attempts"][0];
    assert!(first["scope"].is_string() && first["limit"].is_u64() && first["failuresInARow"].is_u64(), "{first}");
    let (answer, recorded) = desk.run(command("clear-attempts")).await;
    assert_eq!((&answer["ok"], used(&answer)), (&json!(true), 0), "{answer}");
    assert!(recorded.log.contains(&"INFO attempts cleared".to_owned()));
}

#[tokio::test]
async fn a_command_that_cannot_be_read_is_answered_and_changes_nothing() {
    let desk = Desk::new().await;
    for command in
        [json!(null), json!([]), json!({"action": "drop", "userId": desk.user()}), json!({"action": "end-all"})]
    {
        let (answer, recorded) = desk.run(command.clone()).await;
        assert_eq!((&answer["ok"], &answer["error"]["code"]), (&json!(false), &json!("INVALID_REQUEST")), "{command}");
        assert_eq!(recorded.counts.get("INVALID_REQUEST"), Some(&1), "{command}");
    }
    assert_eq!(live(&desk.world).await.len(), 1);
}
