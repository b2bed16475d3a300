// What a session function in Node loads before its first invocation: the SDK's client of DynamoDB and ioredis, both connected.
import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { Redis } from "ioredis";
import { serve } from "./runtime.js";

const table = new DynamoDBClient({ endpoint: process.env.AWS_ENDPOINT_URL });
const redis = new Redis(process.env.REDIS_URL);
await Promise.all([redis.ping(), table.send(new ListTablesCommand({}))]);

await serve(async () => ({ statusCode: 204 }));
