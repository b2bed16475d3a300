//! The hook as a function in the local cloud: it is asked, it fails, it is not there.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use holdfast_push::Topic;
use holdfast_push::ports::TopicAccess as _;
use holdfast_push_wiring::TopicFunction;
use holdfast_sessions::UserId;
use holdfast_sessions::ports::StoreError;
use holdfast_testkit::LocalCloud;

/// Each user may read topics that begin with the first eight characters of their own id; `broken` breaks it.
const HOOK: &str = "
def handler(event, context):
    assert event['v'] == 1
    if 'broken' in event['topics']:
        raise RuntimeError('broken')
    return {'allowed': [t for t in event['topics'] if t.startswith(event['userId'][:8])] + ['never.asked']}
";

/// A zip of one file, by the Python that the local cloud needs anyway.
fn zip() -> Vec<u8> {
    let script = "import sys, zipfile, io\nb = io.BytesIO()\nwith zipfile.ZipFile(b, 'w') as z: z.writestr('hook.py', sys.argv[1])\nsys.stdout.buffer.write(b.getvalue())";
    let output = Command::new("python3").args(["-c", script, HOOK]).output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

async fn deploy(cloud: &LocalCloud) -> String {
    let client = Client::new(cloud.sdk_config());
    let made = client
        .create_function()
        .function_name("hook")
        .runtime(Runtime::from("python3.12"))
        .role("arn:aws:iam::000000000000:role/hook")
        .handler("hook.handler")
        .code(FunctionCode::builder().zip_file(Blob::new(zip())).build())
        .send()
        .await
        .expect("the function is made");
    for _ in 0..100 {
        let state = client.get_function().function_name("hook").send().await.expect("the function is there");
        if state.configuration().and_then(|c| c.state()).is_none_or(|state| state.as_str() == "Active") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    made.function_arn().expect("an ARN").to_owned()
}

fn topics(names: &[String]) -> BTreeSet<Topic> {
    names.iter().map(|name| name.parse().expect("a topic")).collect()
}

#[tokio::test]
async fn a_function_decides_who_may_read_what_and_trouble_is_no_decision() {
    let cloud = LocalCloud::start().await;
    let hook = TopicFunction::new(cloud.sdk_config(), deploy(&cloud).await);
    let (ada, bob) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
    let [of_ada, of_bob] = [ada, bob].map(|user| format!("{}.x", &user.to_string()[..8]));
    let asked = topics(&[of_ada.clone(), of_bob.clone(), "other".into()]);
    assert_eq!(hook.readable(ada, asked.clone()).await, Ok(topics(&[of_ada])));
    assert_eq!(hook.readable(bob, asked.clone()).await, Ok(topics(&[of_bob])));
    let broken = hook.readable(ada, topics(&["broken".into()])).await;
    assert!(matches!(broken, Err(StoreError::Unavailable(_))), "{broken:?}");
    let nobody = TopicFunction::new(cloud.sdk_config(), "arn:aws:lambda:us-east-1:000000000000:function:nobody");
    let missing = nobody.readable(ada, asked).await;
    assert!(matches!(missing, Err(StoreError::Unavailable(_))), "{missing:?}");
}
