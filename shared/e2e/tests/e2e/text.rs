//! Text that people type: e-mail addresses, passwords, names of devices.

use futures_util::future::join_all;
use holdfast_e2e::{Call, Person, SignIn, random_text};
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn every_spelling_of_an_address_is_one_account() {
    let world = World::open().await;
    let unique = random_text();
    for (registered, others) in [
        (format!("κωστας.{unique}@holdfast.test"), vec![format!("ΚΩΣΤΑΣ.{unique}@holdfast.test")]),
        (
            format!("ΜΑΡΙΟΣ.{unique}@holdfast.test"),
            vec![format!("μαριος.{unique}@holdfast.test"), format!("Μαριοσ.{unique}@HOLDFAST.test")],
        ),
        (
            format!("stra\u{df}e.{unique}@b\u{fc}cher.holdfast.test"),
            vec![
                format!("STRASSE.{unique}@BU\u{308}CHER.holdfast.test"),
                format!("strasse.{unique}@xn--bcher-kva.holdfast.test"),
            ],
        ),
        (format!("jos\u{e9}.{unique}@holdfast.test"), vec![format!("JOSE\u{301}.{unique}@holdfast.test")]),
        (format!("ada.{unique}@holdfast.test"), vec![format!("\u{ff21}da.{unique}\u{ff20}holdfast.test.")]),
    ] {
        let person = Person { email: registered, ..Person::random() };
        let account = world.api.register(&person).await.unwrap().expect(201).unwrap();
        for email in others {
            let again = Person { email: email.clone(), ..Person::random() };
            world.api.register(&again).await.unwrap().expect_problem(409, "EMAIL_TAKEN").unwrap();
            let same = Person { email: email.clone(), ..person.clone() };
            let session = world.api.sign_in(&same, "device").await.unwrap_or_else(|fault| panic!("{email}: {fault}"));
            assert_eq!(session.user_id, account.text("/userId").unwrap(), "{email}");
        }
    }
}

#[tokio::test]
async fn a_password_is_the_same_from_every_keyboard_and_no_other() {
    let world = World::open().await;
    let unique = random_text();
    let person = Person { password: format!("Cr\u{e8}me Br\u{fb}l\u{e9}e {unique}"), ..Person::random() };
    world.api.register(&person).await.unwrap().expect(201).unwrap();
    for typed in [
        format!("Cre\u{300}me Bru\u{302}le\u{301}e {unique}"),
        format!("Cr\u{e8}me\u{a0}Br\u{fb}l\u{e9}e\u{3000}{unique}"),
    ] {
        world.api.sign_in(&Person { password: typed, ..person.clone() }, "device").await.unwrap();
    }
    for wrong in [person.password.to_lowercase(), person.password.to_uppercase(), format!("{} ", person.password)] {
        let reply = world.api.login(&person.email, &wrong, &SignIn::default()).await.unwrap();
        reply.expect_problem(401, "INVALID_CREDENTIALS").unwrap();
    }
    // The reverse: a password is registered as one keyboard decomposes it.
    let other = Person { password: format!("Zu\u{308}rich am See {unique}"), ..Person::random() };
    world.api.register(&other).await.unwrap().expect(201).unwrap();
    let composed = Person { password: format!("Z\u{fc}rich am See {unique}"), ..other };
    let session = world.api.sign_in(&composed, "device").await.unwrap();
    // A changed password is read in the same form.
    let next = Person { password: format!("Go\u{308}teborg {unique}"), ..composed.clone() };
    let changed = world.api.change_password(&session.access, &composed.password, &next.password).await.unwrap();
    changed.expect(200).unwrap();
    let next = Person { password: format!("G\u{f6}teborg {unique}"), ..next };
    world.api.sign_in(&next, "device").await.unwrap();
}

#[tokio::test]
async fn passwords_that_are_guessed_first_are_refused_with_a_reason() {
    let world = World::open().await;
    let (person, session) = world.signed_in().await;
    let email = Person::random().email;
    let guessable = [
        "123456789012",
        "passwordpassword",
        "P@ssw0rd1234",
        "qwertyuiop12",
        "aaaaaaaaaaaa",
        "holdfast1234",
        "stairwaytoheaven",
        email.as_str(),
    ];
    for password in guessable {
        let somebody = Person { email: email.clone(), password: password.to_owned() };
        let reply = world.api.register(&somebody).await.unwrap().expect_problem(400, "INVALID_REQUEST").unwrap();
        let detail = reply.text("/detail").unwrap();
        assert!(detail.starts_with("`password` is too easy to guess. "), "{password}: {detail}");
        assert!(!detail.contains(password), "{password}: {detail}");
    }
    for password in ["123456789012", person.email.as_str()] {
        let reply = world.api.change_password(&session.access, &person.password, password).await.unwrap();
        let reply = reply.expect_problem(400, "INVALID_REQUEST").unwrap();
        assert!(reply.text("/detail").unwrap().starts_with("`newPassword` is too easy to guess. "));
    }
    world.api.sign_in(&person, "with the old one").await.unwrap();
    // None of it registered a user.
    world.api.register(&Person { email, ..Person::random() }).await.unwrap().expect(201).unwrap();
}

#[tokio::test]
async fn characters_that_nobody_sees_are_refused_by_name() {
    let world = World::open().await;
    let good = Person::random();
    let email = |odd: &str| Person { email: format!("a{odd}{}", Person::random().email), ..Person::random() };
    let password = |odd: &str| Person { password: format!("{odd}{}", good.password), ..Person::random() };
    let cases = ["\u{202e}", "\u{200b}", "\u{ad}", "\u{7}", "\u{7f}", "\u{2028}", "\u{378}", "\u{feff}"];
    for odd in cases {
        for (person, field) in [(email(odd), "`email`"), (password(odd), "`password`")] {
            let reply = world.api.register(&person).await.unwrap().expect_problem(400, "INVALID_REQUEST").unwrap();
            let detail = reply.text("/detail").unwrap();
            assert!(detail.contains(field), "{odd:?}: {detail}");
        }
    }
    for person in [Person { password: " ".repeat(14), ..Person::random() }, email(" "), email("\u{a0}")] {
        world.api.register(&person).await.unwrap().expect_problem(400, "INVALID_REQUEST").unwrap();
    }
}

#[tokio::test]
async fn a_long_device_name_is_cut_and_an_unsafe_one_refused() {
    let world = World::open().await;
    let person = world.person().await;
    let named = async |name: &str| {
        let how = SignIn { device_name: Some(name), ..SignIn::default() };
        world.api.login(&person.email, &person.password, &how).await.unwrap()
    };
    // 41 letters of two bytes each: 64 bytes hold 32 of them.
    let long = "ж".repeat(41);
    let reply = named(&long).await.expect(200).unwrap();
    assert_eq!(reply.at("/session/device/name"), json!("ж".repeat(32)));
    let reply = named("  Компьютер Ады ").await.expect(200).unwrap();
    assert_eq!(reply.at("/session/device/name"), json!("Компьютер Ады"));
    for unsafe_name in ["a\u{202e}b", "a\u{2066}b", "   ", "\u{3164}", "", "a\nb", "\u{0}"] {
        let reply = named(unsafe_name).await.expect_problem(400, "INVALID_REQUEST").unwrap();
        assert!(reply.text("/detail").unwrap().contains("`deviceName`"), "{unsafe_name:?}");
    }
}

#[tokio::test]
async fn browsers_are_called_what_they_are() {
    let world = World::open().await;
    let person = world.person().await;
    let ios = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)";
    let agents = [
        (format!("{ios} FxiOS/127.0 Mobile/15E148 Safari/605.1.15"), "Firefox", "iOS"),
        (format!("{ios} Version/17.5 Mobile/15E148 Safari/604.1 OPT/4.6.0"), "Opera", "iOS"),
        ("okhttp/4.12.0".to_owned(), "okhttp", "Unknown"),
    ];
    let sign_in = async |agent: &str| {
        let body = json!({"email": person.email, "password": person.password});
        let call = Call::new("POST", "/v1/auth/login").header("user-agent", agent).json(&body);
        world.api.send(call).await.unwrap().expect(200).unwrap()
    };
    let replies = join_all(agents.iter().map(|(agent, _, _)| sign_in(agent))).await;
    for (reply, (agent, browser, os)) in replies.iter().zip(&agents) {
        let seen = (reply.at("/session/device/browser"), reply.at("/session/device/os"));
        assert_eq!(seen, (json!(browser), json!(os)), "{agent}");
    }
}
