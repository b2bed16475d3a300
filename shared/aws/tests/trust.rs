//! Whom a client trusts, by handshakes with a server whose certificate is of an authority of its own.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata as _};
use holdfast_aws::Roots;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What a request is answered with.
const ANSWER: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 39\r\n\r\n{\"__type\":\"x#Reached\",\"message\":\"here\"}";
/// The address to connect to, in the environment of the process that this binary starts.
const ENDPOINT: &str = "HOLDFAST_TEST_ENDPOINT";
/// The roots to trust, in the same environment.
const ROOTS: &str = "HOLDFAST_TEST_ROOTS";

/// Starts a server for `localhost`. Returns its address and the certificate of its authority.
async fn server() -> (SocketAddr, String) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.der().to_vec())],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(ANSWER.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (address, authority.pem())
}

/// Asks the server once. Returns the code of its answer, or why there was none.
async fn ask(endpoint: &str, roots: Roots) -> String {
    let config = holdfast_aws::sdk_config(Arc::new(|name: &str| std::env::var(name).ok()), roots);
    let config = config
        .to_builder()
        .endpoint_url(endpoint)
        .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
        .credentials_provider(aws_sdk_dynamodb::config::SharedCredentialsProvider::new(Credentials::new(
            "id", "key", None, None, "test",
        )))
        .build();
    let error = Client::new(&config).list_tables().send().await.unwrap_err();
    error.code().map_or_else(|| DisplayErrorContext(&error).to_string(), str::to_owned)
}

/// Opens a connection with the library's configuration for connections of ours. Returns why it failed, or `trusted`.
async fn shake_hands(endpoint: &str, roots: Roots) -> String {
    let stream = TcpStream::connect(endpoint.trim_start_matches("https://")).await.unwrap();
    let connector = TlsConnector::from(Arc::new(roots.tls().unwrap()));
    let connected = connector.connect("localhost".try_into().unwrap(), stream).await;
    connected.map_or_else(|error| format!("{error:?}"), |_| "trusted".to_owned())
}

/// The roots of the system are read once in a process, and `SSL_CERT_FILE` names them. So this binary runs itself again.
#[tokio::test]
async fn the_roots_of_amazon_admit_no_other_authority_and_those_of_the_system_may() {
    if let Ok(endpoint) = std::env::var(ENDPOINT) {
        let roots = if std::env::var(ROOTS).as_deref() == Ok("amazon") { Roots::Amazon } else { Roots::System };
        println!("answer: {}", ask(&endpoint, roots).await);
        println!("handshake: {}", shake_hands(&endpoint, roots).await);
        return;
    }
    let (address, authority) = server().await;
    let file = std::env::temp_dir().join(format!("holdfast-roots-{}.pem", address.port()));
    std::fs::write(&file, authority).unwrap();
    let mut answers = Vec::new();
    for roots in ["amazon", "system"] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([
                "--exact",
                "the_roots_of_amazon_admit_no_other_authority_and_those_of_the_system_may",
                "--nocapture",
            ])
            .env("SSL_CERT_FILE", &file)
            .env_remove("SSL_CERT_DIR")
            .env("AWS_REGION", "us-east-1")
            .env(ENDPOINT, format!("https://localhost:{}", address.port()))
            .env(ROOTS, roots);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        answers.push(["answer: ", "handshake: "].map(|kind| {
            let found = text.lines().find_map(|line| line.split_once(kind).map(|(_, answer)| answer.to_owned()));
            found.unwrap_or_else(|| text.clone())
        }));
    }
    std::fs::remove_file(file).unwrap();
    assert!(answers[0].iter().all(|answer| answer.contains("UnknownIssuer")), "{:?}", answers[0]);
    assert_eq!(answers[1], ["Reached", "trusted"]);
}
