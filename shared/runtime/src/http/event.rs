//! The fields of API Gateway's events from which requests are read. The events are those of HTTP APIs (payload format 2.0) and
//! those of the authorizers of REST and WebSocket APIs.

use std::borrow::Cow;

use serde::de::{MapAccess, SeqAccess};

use super::lenient::{self, Fields, Flag, Lenient, Text, Texts, next, next_name};
use super::payload;

/// Any event. A field that an event does not have, or of another type, is as if left out.
#[derive(Default)]
pub(crate) struct Event<'a> {
    /// Whether it names a `requestContext` at all, as every event of API Gateway does.
    pub(crate) has_context: bool,
    pub(crate) context: Context<'a>,
    pub(crate) headers: Fields<'a>,
    pub(crate) cookies: Texts<'a>,
    pub(crate) route_key: Text<'a>,
    pub(crate) raw_path: Text<'a>,
    pub(crate) raw_query: Text<'a>,
    pub(crate) query: Fields<'a>,
    pub(crate) path_parameters: Fields<'a>,
    pub(crate) body: Body<'a>,
    pub(crate) is_base64: Flag,
    /// Of authorizers only.
    pub(crate) version: Text<'a>,
    pub(crate) kind: Text<'a>,
    pub(crate) method_arn: Text<'a>,
    /// Of REST and WebSocket APIs only.
    pub(crate) multi_value_headers: Fields<'a>,
    pub(crate) http_method: Text<'a>,
    pub(crate) path: Text<'a>,
}

impl<'a> Event<'a> {
    /// Reads an event. Passes nothing on where it is not JSON at all.
    pub(crate) fn with<T>(text: &'a str, then: impl FnOnce(Event<'_>) -> T) -> Option<T> {
        match lenient::read::<Event<'_>>(text) {
            Ok(event) => Some(then(event)),
            // A lone surrogate is valid in JSON text but not in UTF-8. Bytes that a gateway could not decode may arrive as one.
            Err(_) => lenient::read::<Event<'_>>(&payload::without_lone_surrogates(text)).ok().map(then),
        }
    }
}

impl<'de> Lenient<'de> for Event<'de> {
    fn object<A: MapAccess<'de>>(mut fields: A) -> Result<Self, A::Error> {
        let mut event = Self::default();
        while let Some(name) = next_name(&mut fields)? {
            match &*name {
                "requestContext" => {
                    event.has_context = true;
                    event.context = next(&mut fields)?;
                }
                "headers" => event.headers = next(&mut fields)?,
                "cookies" => event.cookies = next(&mut fields)?,
                "routeKey" => event.route_key = next(&mut fields)?,
                "rawPath" => event.raw_path = next(&mut fields)?,
                "rawQueryString" => event.raw_query = next(&mut fields)?,
                "queryStringParameters" => event.query = next(&mut fields)?,
                "pathParameters" => event.path_parameters = next(&mut fields)?,
                "body" => event.body = next(&mut fields)?,
                "isBase64Encoded" => event.is_base64 = next(&mut fields)?,
                "version" => event.version = next(&mut fields)?,
                "type" => event.kind = next(&mut fields)?,
                "methodArn" => event.method_arn = next(&mut fields)?,
                "multiValueHeaders" => event.multi_value_headers = next(&mut fields)?,
                "httpMethod" => event.http_method = next(&mut fields)?,
                "path" => event.path = next(&mut fields)?,
                _ => next::<lenient::Dropped, A>(&mut fields).map(drop)?,
            }
        }
        Ok(event)
    }
}

/// The fields that are read of `requestContext`.
#[derive(Default)]
pub(crate) struct Context<'a> {
    pub(crate) request_id: Text<'a>,
    pub(crate) connection_id: Text<'a>,
    pub(crate) http: Http<'a>,
    /// The field `authorizer.iam.userArn`.
    pub(crate) user_arn: Text<'a>,
    /// The field `identity.sourceIp`.
    pub(crate) identity_ip: Text<'a>,
}

impl<'de> Lenient<'de> for Context<'de> {
    fn object<A: MapAccess<'de>>(mut fields: A) -> Result<Self, A::Error> {
        let mut context = Self::default();
        while let Some(name) = next_name(&mut fields)? {
            match &*name {
                "requestId" => context.request_id = next(&mut fields)?,
                "connectionId" => context.connection_id = next(&mut fields)?,
                "http" => context.http = next(&mut fields)?,
                "authorizer" => context.user_arn = next::<Authorizer<'_>, A>(&mut fields)?.0,
                "identity" => context.identity_ip = next::<Identity<'_>, A>(&mut fields)?.0,
                _ => next::<lenient::Dropped, A>(&mut fields).map(drop)?,
            }
        }
        Ok(context)
    }
}

/// The fields that are read of `requestContext.http`.
#[derive(Default)]
pub(crate) struct Http<'a> {
    pub(crate) method: Text<'a>,
    pub(crate) path: Text<'a>,
    pub(crate) source_ip: Text<'a>,
}

impl<'de> Lenient<'de> for Http<'de> {
    fn object<A: MapAccess<'de>>(mut fields: A) -> Result<Self, A::Error> {
        let mut http = Self::default();
        while let Some(name) = next_name(&mut fields)? {
            match &*name {
                "method" => http.method = next(&mut fields)?,
                "path" => http.path = next(&mut fields)?,
                "sourceIp" => http.source_ip = next(&mut fields)?,
                _ => next::<lenient::Dropped, A>(&mut fields).map(drop)?,
            }
        }
        Ok(http)
    }
}

/// The value of one field of an object.
fn one<'de, T: Lenient<'de>, A: MapAccess<'de>>(mut fields: A, wanted: &str) -> Result<T, A::Error> {
    let mut value = T::default();
    while let Some(name) = next_name(&mut fields)? {
        if name == wanted {
            value = next(&mut fields)?;
        } else {
            next::<lenient::Dropped, A>(&mut fields)?;
        }
    }
    Ok(value)
}

#[derive(Default)]
struct Authorizer<'a>(Text<'a>);

impl<'de> Lenient<'de> for Authorizer<'de> {
    fn object<A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        one::<Iam<'de>, A>(fields, "iam").map(|Iam(arn)| Self(arn))
    }
}

#[derive(Default)]
struct Iam<'a>(Text<'a>);

impl<'de> Lenient<'de> for Iam<'de> {
    fn object<A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        one(fields, "userArn").map(Self)
    }
}

#[derive(Default)]
struct Identity<'a>(Text<'a>);

impl<'de> Lenient<'de> for Identity<'de> {
    fn object<A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        one(fields, "sourceIp").map(Self)
    }
}

/// A body is a string or nothing. What is neither cannot be decoded.
#[derive(Default)]
pub(crate) enum Body<'a> {
    #[default]
    None,
    Text(Cow<'a, str>),
    Other,
}

impl<'de> Lenient<'de> for Body<'de> {
    fn string(text: Cow<'de, str>) -> Self {
        Self::Text(text)
    }

    fn number(_: serde_json::Number) -> Self {
        Self::Other
    }

    fn boolean(_: bool) -> Self {
        Self::Other
    }

    fn list<A: SeqAccess<'de>>(items: A) -> Result<Self, A::Error> {
        lenient::Dropped::list(items).map(|_| Self::Other)
    }

    fn object<A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        lenient::Dropped::object(fields).map(|_| Self::Other)
    }
}
