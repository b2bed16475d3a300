//! The invariants of ARCHITECTURE.md that are about absences: what a crate must not link, what a file must not hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use holdfast_testkit::started;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

/// Everything `package` links, transitively, without what only its tests need.
fn tree(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--package", package])
        .current_dir(root())
        .output()
        .expect("cargo tree runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                found.extend(files(&path, extension));
            }
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found
}

/// `services/functions.json`, name by name.
fn functions() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("services/functions.json")).expect("the list of functions");
    text.lines()
        .filter_map(|line| line.trim_start().strip_prefix('"'))
        .filter_map(|line| line.split_once("\":"))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// The parts of a function's name: its service and its route.
fn parts(function: &str) -> (&str, &str) {
    function.split_once('-').expect("service-route")
}

/// The file that holds a function's handler.
fn handler(function: &str) -> PathBuf {
    let (service, route) = parts(function);
    root().join("services").join(service).join("src").join(route.replace('-', "_")).with_extension("rs")
}

/// The file that holds a function's `main`.
fn main_of(function: &str) -> PathBuf {
    root().join("services").join(parts(function).0).join("src/bin").join(function).with_extension("rs")
}

/// The packages of all services.
fn services() -> BTreeSet<String> {
    functions().iter().map(|function| format!("service-{}", parts(function).0)).collect()
}

#[test]
fn the_domain_links_no_runtime_no_aws_no_redis_and_no_serde() {
    for package in ["holdfast-sessions", "holdfast-push"] {
        for name in tree(package) {
            let banned = ["tokio", "serde", "serde_json", "redis", "lambda_runtime", "hyper"].contains(&name.as_str())
                || name.starts_with("aws");
            assert!(!banned, "{package} links {name}");
        }
    }
}

/// Statuses, headers, cookies and paths are for the adapters of HTTP to know.
#[test]
fn the_domain_knows_nothing_of_http() {
    for file in files(&root().join("shared/sessions/src"), "rs") {
        // It holds the names that HTTP clients give themselves.
        if file.ends_with("device.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source file");
        for (number, line) in text.lines().enumerate() {
            let lower = line.to_ascii_lowercase();
            let found = ["http", "header", "cookie", "if-match", "authorization:", "/v1/"]
                .iter()
                .find(|word| lower.contains(**word));
            assert_eq!(found, None, "{}:{}: {line}", file.display(), number + 1);
        }
    }
}

#[test]
fn each_sdk_is_linked_by_one_adapter_only() {
    let owners = [
        ("aws-sdk-dynamodb", "holdfast-dynamodb"),
        ("aws-sdk-sqs", "holdfast-queue"),
        ("aws-sdk-elasticache", "holdfast-wiring"),
        ("aws-sdk-kms", "holdfast-wiring"),
        ("aws-sdk-lambda", "holdfast-push-wiring"),
        ("aws-sdk-eventbridge", "holdfast-wiring"),
        ("aws-sdk-cognitoidentityprovider", "holdfast-credentials"),
        ("aws-sdk-apigatewaymanagement", "holdfast-websocket-api"),
    ];
    for manifest in files(&root().join("shared"), "toml").into_iter().chain(files(&root().join("services"), "toml")) {
        let text = fs::read_to_string(&manifest).expect("a manifest");
        let runtime = text.split("[dev-dependencies]").next().unwrap_or_default();
        let package = runtime.lines().find_map(|l| l.strip_prefix("name = ")).unwrap_or_default().trim_matches('"');
        // Tests and benchmarks inspect the cloud from outside, with the SDK of each service.
        if ["holdfast-bench", "holdfast-testkit", "holdfast-e2e"].contains(&package) {
            continue;
        }
        for (sdk, owner) in owners {
            assert!(
                !runtime.lines().any(|l| l.starts_with(&format!("{sdk}."))) || package == owner,
                "{package} depends on {sdk}, which belongs to {owner}"
            );
        }
    }
}

/// Wiring builds the adapters; a handler sees ports.
#[test]
fn handlers_depend_on_wiring_and_the_core_only() {
    let allowed = [
        "futures-util",
        "holdfast-sessions",
        "holdfast-runtime",
        "holdfast-wiring",
        "holdfast-push",
        "holdfast-push-wiring",
        "serde",
        "serde_json",
        "tokio",
        "tracing",
    ];
    for service in services() {
        let folder = root().join("services").join(service.trim_start_matches("service-"));
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        let dependencies = manifest.split("[dependencies]").nth(1).expect("dependencies");
        let dependencies = dependencies.split('[').next().unwrap_or_default();
        let names: Vec<_> = dependencies.lines().filter_map(|line| line.split_once(".workspace")).collect();
        assert!(!names.is_empty(), "{service} has no dependencies: this looks in the wrong place");
        for (name, _) in names {
            assert!(allowed.contains(&name), "{service} depends on {name}");
        }
    }
}

/// The executable of each function, as the local cloud runs it.
fn executables() -> &'static BTreeMap<String, PathBuf> {
    static BUILT: LazyLock<BTreeMap<String, PathBuf>> =
        LazyLock::new(|| started::executables(&root(), functions().iter().map(String::as_str)));
    &BUILT
}

/// The clients of AWS and Redis that each function's executable may hold. Packages share their dependencies;
/// executables do not: the linker drops what a function does not call, and with it the names of its operations.
#[test]
fn an_executable_holds_only_the_clients_that_its_function_calls() {
    let clients = [
        "apigatewaymanagement",
        "cognitoidentityprovider",
        "dynamodb",
        "elasticache",
        "eventbridge",
        "kms",
        "lambda",
        "sqs",
    ];
    let password = &["cognitoidentityprovider", "dynamodb", "redis"][..];
    let sessions = &["dynamodb", "redis"][..];
    let factor = &["dynamodb", "kms", "redis"][..];
    let table: &[(&str, &[&str])] = &[
        ("auth-login", password),
        ("auth-logout", sessions),
        ("auth-mfa-activate", factor),
        ("auth-mfa-disable", factor),
        ("auth-mfa-enroll", factor),
        ("auth-mfa-recovery-codes", sessions),
        ("auth-mfa-verify", factor),
        ("auth-password", password),
        ("auth-reauthenticate", &["cognitoidentityprovider", "dynamodb", "kms", "redis"]),
        ("auth-refresh", sessions),
        ("auth-register", &["dynamodb"]),
        ("events-audit-trail", &["dynamodb"]),
        ("events-cache-repair", &["redis"]),
        ("events-last-login", &["dynamodb"]),
        ("events-relay", &["dynamodb", "eventbridge", "sqs"]),
        ("events-security-alerts", &["dynamodb", "sqs"]),
        ("ops-cache-status", &["elasticache"]),
        ("ops-health", sessions),
        ("ops-not-found", &[]),
        ("push-authorizer", &["dynamodb"]),
        ("push-close-sockets", &["apigatewaymanagement", "dynamodb", "sqs"]),
        ("push-connect", &["apigatewaymanagement", "dynamodb", "sqs"]),
        ("push-default", &["apigatewaymanagement", "dynamodb", "lambda"]),
        ("push-disconnect", &["dynamodb"]),
        ("push-fanout", &["apigatewaymanagement", "dynamodb", "sqs"]),
        ("push-history", &["dynamodb", "lambda"]),
        ("push-publish", &["dynamodb", "sqs"]),
        ("push-ticket", &["dynamodb"]),
        ("sessions-admin", sessions),
        ("sessions-authorizer", sessions),
        ("sessions-create", sessions),
        ("sessions-current", sessions),
        ("sessions-devices", sessions),
        ("sessions-introspect", sessions),
        ("sessions-list", sessions),
        ("sessions-remove-devices", sessions),
        ("sessions-revoke", sessions),
        ("sessions-revoke-all", sessions),
        ("sessions-trust", sessions),
    ];
    assert_eq!(table.iter().map(|(function, _)| (*function).to_owned()).collect::<BTreeSet<_>>(), functions());
    let mut wrong = Vec::new();
    for (function, allowed) in table {
        let content = fs::read(&executables()[*function]).expect("an executable");
        let content = String::from_utf8_lossy(&content);
        // As symbols name a crate: its length, then its name.
        let holds = |name: &str| content.contains(&format!("{}{name}", name.len()));
        let mut held: Vec<_> = clients.into_iter().filter(|client| holds(&format!("aws_sdk_{client}"))).collect();
        held.extend(holds("redis").then_some("redis"));
        if held != *allowed {
            wrong.push(format!("{function}: {held:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The functions of a file's shipped code: their signatures with the line before them, and their bodies without spaces.
fn functions_of(text: &str) -> Vec<(String, String)> {
    let shipped: Vec<&str> = text.split("#[cfg(test)]").next().unwrap_or_default().lines().collect();
    let mut found = Vec::new();
    for (at, line) in shipped.iter().enumerate() {
        let declared = line.trim_start();
        let is_function = declared.starts_with("fn ")
            || (declared.starts_with("pub") || declared.starts_with("async fn ")) && declared.contains("fn ");
        if is_function {
            let indent = &line[..line.len() - declared.len()];
            let end = format!("{indent}}}");
            let body: Vec<&str> = shipped[at..].iter().copied().take_while(|line| *line != end).collect();
            let before = if at == 0 { "" } else { shipped[at - 1].trim() };
            found.push((format!("{before} {declared}"), body.concat().replace(' ', "")));
        }
    }
    found
}

/// The linker takes a library's object as a whole, with every client that it names. It drops their code later, but keeps the
/// tables for unwinding it. A generic function, or one with `#[inline]`, is compiled where it is called instead.
#[test]
fn what_uses_a_client_is_compiled_where_it_is_called() {
    let clients = ["cognitoidentityprovider", "elasticache", "eventbridge", "kms", "lambda", "sqs"];
    let builders =
        ["Bus", "Clusters", "Cognito", "Hook", "KmsBox", "LiveVerifier", "PresenceFunction", "Queue", "TopicFunction"];
    let mut seen = 0;
    for file in files(&root().join("shared"), "rs").into_iter().chain(files(&root().join("services"), "rs")) {
        let path = file.strip_prefix(root()).expect("a file of the workspace");
        let tests_only = ["shared/bench", "shared/e2e", "shared/testkit", "shared/fault-proxy"];
        if tests_only.iter().any(|folder| path.starts_with(folder)) || path.iter().any(|part| part == "tests") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source file");
        let has_client = clients.iter().any(|client| text.contains(&format!("use aws_sdk_{client}::")));
        for (signature, body) in functions_of(&text) {
            let uses = has_client && (body.contains("self.client") || body.contains("Client::new("))
                || builders.iter().any(|name| {
                    body.contains(&format!("{name}::new(")) || body.contains(&format!("{name}::from_env("))
                })
                || path.starts_with("services") && signature.contains("pub async fn from_env(");
            let name = signature.split("fn ").nth(1).unwrap_or_default();
            let is_generic = name.find('<') < name.find('(') && name.contains('<');
            assert!(!uses || is_generic || signature.starts_with("#[inline] "), "{}: {signature}", path.display());
            seen += usize::from(uses);
        }
    }
    assert!(seen >= 30, "only {seen} functions found: this looks in the wrong place");
}

/// More crates are more code to trust, to update and to compile.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn each_service_links_no_more_crates_than_its_budget() {
    let budgets = [("auth", 218), ("events", 218), ("ops", 218), ("push", 187), ("sessions", 218)];
    assert_eq!(budgets.len(), services().len());
    for (service, budget) in budgets {
        let crates = tree(&format!("service-{service}")).len();
        assert!(crates <= budget, "service-{service} links {crates} crates, and its budget is {budget}");
    }
}

/// Millions of bytes of each executable of the local build, with 2 % for compilers that differ. An environment of Lambda loads all
/// of them at its start.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn each_executable_is_no_larger_than_its_budget() {
    let budgets: &[(&str, f64)] = &[
        ("auth-login", 27.3),
        ("auth-logout", 21.7),
        ("auth-mfa-activate", 24.8),
        ("auth-mfa-disable", 24.7),
        ("auth-mfa-enroll", 23.9),
        ("auth-mfa-recovery-codes", 22.4),
        ("auth-mfa-verify", 25.9),
        ("auth-password", 31.0),
        ("auth-reauthenticate", 27.8),
        ("auth-refresh", 21.4),
        ("auth-register", 25.0),
        ("events-audit-trail", 18.7),
        ("events-cache-repair", 17.0),
        ("events-last-login", 18.7),
        ("events-relay", 19.7),
        ("events-security-alerts", 20.3),
        ("ops-cache-status", 19.8),
        ("ops-health", 20.8),
        ("ops-not-found", 10.4),
        ("push-authorizer", 16.5),
        ("push-close-sockets", 21.1),
        ("push-connect", 20.9),
        ("push-default", 23.7),
        ("push-disconnect", 17.1),
        ("push-fanout", 23.1),
        ("push-history", 19.6),
        ("push-publish", 19.7),
        ("push-ticket", 17.4),
        ("sessions-admin", 27.9),
        ("sessions-authorizer", 21.7),
        ("sessions-create", 24.4),
        ("sessions-current", 21.7),
        ("sessions-devices", 22.1),
        ("sessions-introspect", 21.8),
        ("sessions-list", 22.0),
        ("sessions-remove-devices", 22.6),
        ("sessions-revoke", 22.6),
        ("sessions-revoke-all", 22.3),
        ("sessions-trust", 22.8),
    ];
    let named: BTreeSet<_> = budgets.iter().map(|(function, _)| (*function).to_owned()).collect();
    assert_eq!(named, functions());
    let mut wrong = Vec::new();
    for (function, budget) in budgets {
        let bytes = fs::metadata(&executables()[*function]).expect("an executable").len();
        #[allow(clippy::cast_precision_loss)]
        let millions = bytes as f64 / 1e6;
        if millions > budget * 1.02 {
            wrong.push(format!("{function}: {millions:.2}, budget {budget}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_lambda_links_what_only_tests_need() {
    for service in services() {
        for name in tree(&service) {
            assert!(
                !["holdfast-testkit", "holdfast-e2e", "proptest", "aws-lc-sys"].contains(&name.as_str()),
                "{service} links {name}"
            );
        }
    }
}

#[test]
fn every_function_is_a_binary_of_its_name_with_a_short_main_and_one_file_for_its_handler() {
    for function in functions() {
        let main = main_of(&function);
        let text = fs::read_to_string(&main).unwrap_or_else(|_| panic!("{} is missing", main.display()));
        assert!(text.lines().count() < 40, "{} is longer than a table of contents", main.display());
        let module = handler(&function).file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(text.contains(&format!("{module}::handle")), "{} runs another handler", main.display());
        assert!(handler(&function).exists(), "{} is missing", handler(&function).display());
    }
}

/// Each test harness is one more link in every run of the tests.
#[test]
fn the_binaries_of_a_service_are_its_functions_and_none_has_a_test_harness_of_its_own() {
    for service in services() {
        let name = service.trim_start_matches("service-");
        let folder = root().join("services").join(name);
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        let wanted: BTreeSet<String> = functions().into_iter().filter(|function| parts(function).0 == name).collect();
        let listed = wanted.iter().filter(|f| manifest.contains(&format!("[[bin]]\nname = \"{f}\"\ntest = false\n")));
        assert_eq!(listed.count(), wanted.len(), "{service} does not list each of {wanted:?} with `test = false`");
        assert_eq!(manifest.matches("[[bin]]").count(), wanted.len(), "{service} lists another binary");
        let found = files(&folder.join("src/bin"), "rs").len();
        assert_eq!(found, wanted.len(), "{service} has a file in src/bin that is no function");
    }
}

/// A route whose handler reads query parameters must name them to the edge, which refuses all others.
#[test]
fn a_main_passes_on_the_query_parameters_of_its_handler() {
    let mut routes = 0;
    for function in functions() {
        let module = handler(&function).file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(handler(&function)).expect("a source file");
        let main = fs::read_to_string(main_of(&function)).expect("a source file");
        let reads = text.contains("request.query");
        assert_eq!(text.contains("pub const QUERY"), reads, "{function}: QUERY names the parameters that it reads");
        assert_eq!(main.contains(&format!("{module}::QUERY")), reads, "{function}: its main passes QUERY on");
        routes += usize::from(reads);
    }
    assert!(routes >= 2, "only {routes} routes with a query found: this looks in the wrong place");
}

/// `Request::json`, `json_up_to`, `json_or_empty` and `no_body` refuse what the route does not take, in body and query.
/// A handler that called none of them would take anything; one that called them before it knows its caller would tell
/// strangers about the form.
#[test]
fn every_http_handler_reads_its_form_after_it_knows_its_caller() {
    let mut handlers = 0;
    for function in functions() {
        // They change nothing and do not check the caller, and the runtime refuses their queries.
        if !fs::read_to_string(main_of(&function)).expect("a source file").contains("boot::http")
            || ["ops-health", "ops-not-found"].contains(&function.as_str())
        {
            continue;
        }
        let handler = handler(&function);
        let path = handler.display();
        let text = fs::read_to_string(&handler).expect("a source file");
        let first = |names: &[&str]| names.iter().filter_map(|name| text.find(name)).min();
        let form = first(&["request.no_body()", "request.json"]);
        assert!(form.is_some(), "{path} reads neither a body nor `no_body`");
        let caller = first(&[".identify", ".authenticate", "iam_caller()"]);
        assert!(caller.is_none() || caller < form, "{path} reads the form before it knows the caller");
        handlers += 1;
    }
    assert!(handlers >= 15, "only {handlers} handlers found: this looks in the wrong place");
}

#[test]
fn only_main_and_the_runtime_read_the_environment() {
    for file in files(&root().join("shared"), "rs").into_iter().chain(files(&root().join("services"), "rs")) {
        let path = file.strip_prefix(root()).expect("a file of the workspace");
        let allowed = ["shared/runtime", "shared/testkit", "shared/e2e", "shared/bench"]
            .iter()
            .any(|folder| path.starts_with(folder))
            || path.iter().any(|part| part == "tests");
        let text = fs::read_to_string(&file).expect("a source file");
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        assert!(allowed || !shipped.contains("std::env::var"), "{} reads the environment", path.display());
    }
}

/// A stale read of a session would accept a user who has logged out. So there is no index, no scan, and no batch that
/// answers in part.
#[test]
fn every_read_of_the_session_table_is_strongly_consistent() {
    let mut reads = 0;
    for file in files(&root().join("shared/dynamodb/src/sessions"), "rs") {
        let text = fs::read_to_string(&file).expect("a source file");
        for (at, _) in text.match_indices(".get_item()").chain(text.match_indices(".query(")) {
            let call = text[at..].split(".send()").next().unwrap_or_default();
            assert!(call.contains(".consistent_read(true)"), "{}: {call}", file.display());
            reads += 1;
        }
        for weak in [".index_name(", ".scan()", ".batch_get_item()", ".batch_write_item()", "consistent_read(false)"] {
            assert!(!text.contains(weak), "{} uses {weak}", file.display());
        }
    }
    assert!(reads >= 4, "only {reads} reads found: this looks in the wrong place");
}

/// Two maps with the same members are written in two orders. A transaction that is sent again must be the same request.
#[test]
fn every_transaction_with_a_token_is_sent_with_its_members_in_one_order() {
    let mut tokens = 0;
    for file in files(&root().join("shared/dynamodb/src"), "rs") {
        let text = fs::read_to_string(&file).expect("a source file");
        for (at, _) in text.match_indices(".client_request_token(") {
            let call = text[at..].split(".send()").next().unwrap_or_default();
            assert!(call.contains(".interceptor(InOneOrder)"), "{}: {call}", file.display());
            tokens += 1;
        }
    }
    assert!(tokens >= 3, "only {tokens} tokens found: this looks in the wrong place");
}

/// `Statement` checks what DynamoDB refuses. A name or a value that is bound elsewhere would not be checked.
#[test]
fn only_statements_bind_the_names_and_values_of_expressions() {
    let source = root().join("shared/dynamodb/src");
    for file in files(&source, "rs") {
        let binds = fs::read_to_string(&file).expect("a source file").contains("expression_attribute_");
        assert_eq!(binds, file == source.join("statement.rs"), "{}", file.display());
    }
}
