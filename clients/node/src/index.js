// The kit for back ends: verify Holdfast sessions, and publish messages. README.md has examples.

export { Holdfast } from "./client.js";
export { ConfigurationError, CrossSiteRequest, HoldfastError, NoSession, Refused, Unavailable } from "./errors.js";
