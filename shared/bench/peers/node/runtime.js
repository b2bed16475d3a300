// Lambda's Runtime API (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) with the HTTP client of Node, so that a
// function runs here as it does on Lambda.
import http from "node:http";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path: `/2018-06-01/runtime/invocation/${path}`, agent }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ id: response.headers["lambda-runtime-aws-request-id"], body: Buffer.concat(parts) }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** Serves invocations until the process ends. */
export async function serve(handler) {
  for (;;) {
    const { id, body } = await call("GET", "next");
    const answer = await handler(JSON.parse(body), {});
    await call("POST", `${id}/response`, JSON.stringify(answer));
  }
}
