//! The extractor of the session that a [`SessionLayer`](crate::SessionLayer) has found.

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::answers::Session;
use crate::error::Error;
use crate::layer::problem;

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = Error;

    /// Returns the session that the layer has found.
    ///
    /// # Errors
    /// `NO_LAYER` means that no [`SessionLayer`](crate::SessionLayer) is around the route. It is answered with 500.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let missing =
            "There is no `SessionLayer` around the route: call `route_layer(SessionLayer::new(…))` after the route.";
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Error::configuration("NO_LAYER", missing))
    }
}

impl IntoResponse for Error {
    /// The answer that a [`SessionLayer`](crate::SessionLayer) gives: a problem document without details of an outage.
    fn into_response(self) -> Response {
        problem::<Body>(self)
    }
}
