// Signs requests with AWS Signature Version 4. Credentials come from the usual chain of the AWS SDK, which refreshes them before they expire.

import { Sha256 } from "@aws-crypto/sha256-js";
import { SignatureV4 } from "@smithy/signature-v4";

import { ConfigurationError, Unavailable } from "./errors.js";

/** The default host name of an API names the Region that its signatures need. */
const HOST = /^[a-z0-9-]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/;

/** @typedef {{ accessKeyId: string, secretAccessKey: string, sessionToken?: string }} Credentials */

/** Signs for the service `execute-api`. */
export class Signer {
  #url;
  #region;
  /** @type {(() => Promise<Credentials>) | undefined} */
  #credentials;

  /**
   * @param {URL} url
   * @param {string | undefined} region
   * @param {Credentials | (() => Promise<Credentials>) | undefined} credentials
   */
  constructor(url, region, credentials) {
    this.#url = url;
    this.#region = region;
    if (credentials) this.#credentials = typeof credentials === "function" ? credentials : async () => credentials;
  }

  /**
   * Returns the headers of a POST with its signature, at the present time, and the secrets of the credentials, so that no error repeats them.
   * @param {URL} url
   * @param {Record<string, string>} headers
   * @param {string} body
   */
  async sign(url, headers, body) {
    const region = this.#foundRegion();
    const credentials = await this.#foundCredentials();
    const signer = new SignatureV4({ service: "execute-api", region, credentials, sha256: Sha256 });
    const signed = await signer.sign({
      method: "POST", protocol: url.protocol, hostname: url.hostname, path: url.pathname, query: {}, body, headers: { ...headers, host: url.host },
    });
    // `fetch` adds the host, and takes none.
    const { host, ...rest } = signed.headers;
    return { headers: rest, secrets: [credentials.secretAccessKey, credentials.sessionToken].filter((secret) => secret !== undefined) };
  }

  async #foundCredentials() {
    try {
      // Loaded only where it is needed: a function with credentials of its own starts faster.
      this.#credentials ??= (await import("@aws-sdk/credential-provider-node")).defaultProvider();
      const found = await this.#credentials();
      if (found?.accessKeyId && found.secretAccessKey) return found;
    } catch (error) {
      const name = error instanceof Error ? error.name : "Error";
      if (!/^(Credentials|Token)ProviderError$/.test(name)) {
        throw new Unavailable("CREDENTIALS_UNAVAILABLE", `The source of the AWS credentials does not answer (${name}).`);
      }
    }
    throw new ConfigurationError("NO_CREDENTIALS", "There are no AWS credentials: give this process a role, a profile or AWS_ACCESS_KEY_ID.");
  }

  #foundRegion() {
    const { env } = /** @type {any} */ (globalThis).process;
    const region = this.#region ?? HOST.exec(this.#url.hostname)?.[1] ?? (env.AWS_REGION || env.AWS_DEFAULT_REGION);
    if (region) return region;
    throw new ConfigurationError("NO_REGION", "The AWS Region of Holdfast is not known: set AWS_REGION, or pass `region`.");
  }
}
