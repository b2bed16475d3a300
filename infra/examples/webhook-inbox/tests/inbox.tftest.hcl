mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { id = "role", arn = "arn:aws:iam::123456789012:role/role" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:own" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:f", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/f", version = "1" }
  }
  mock_resource "aws_lambda_alias" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:f:live", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/f:live" }
  }
  mock_resource "aws_apigatewayv2_api" {
    defaults = { id = "api", api_endpoint = "https://api.example.com", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:api" }
  }
  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/deliveries" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:inbox", url = "https://sqs/inbox" }
  }
  mock_resource "aws_cloudwatch_event_bus" {
    defaults = { arn = "arn:aws:events:us-east-1:123456789012:event-bus/inbox" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:us-east-1:123456789012:rule/inbox/notify" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { id = "artifacts", arn = "arn:aws:s3:::artifacts" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { id = "us-east-1" }
  }
}

variables { release_manifest = "tests/release.json" }

run "each_function_may_do_its_own_part_and_no_more" {
  command = apply
  assert {
    condition = { for key, grants in module.service.grants : key => [for grant in grants : grant if !startswith(grant, "logs:") && !startswith(grant, "xray:")] } == {
      inbox-take   = ["sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:inbox"]
      inbox-notify = ["sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:webhook-inbox-notify-dlq"]
      inbox-work = [
        "dynamodb:PutItem arn:aws:dynamodb:us-east-1:123456789012:table/deliveries",
        "events:PutEvents arn:aws:events:us-east-1:123456789012:event-bus/inbox",
        "sqs:DeleteMessage arn:aws:sqs:us-east-1:123456789012:inbox",
        "sqs:GetQueueAttributes arn:aws:sqs:us-east-1:123456789012:inbox",
        "sqs:ReceiveMessage arn:aws:sqs:us-east-1:123456789012:inbox",
      ]
    }
    error_message = "The one that faces the world only queues; the one that works only records and tells."
  }
  assert {
    condition     = output.url == "https://api.example.com/v1/webhooks/{source}" && module.notify.dlq_name == "webhook-inbox-notify-dlq"
    error_message = "Where senders post, and what could not be told."
  }
}

run "refuses_a_wrong_name" {
  command = plan
  variables { name = "Has_Upper" }
  expect_failures = [var.name]
}
