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
    defaults = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/orders" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:orders.fifo", url = "https://sqs/orders.fifo" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { id = "artifacts", arn = "arn:aws:s3:::artifacts" }
  }
  mock_resource "aws_security_group" {
    defaults = { id = "sg-functions" }
  }
  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d"
      domain_validation_options = [
        { domain_name = "orders.example.org", resource_record_name = "_x.orders.example.org", resource_record_type = "CNAME", resource_record_value = "_y.acm-validations.aws" },
      ]
    }
  }
  mock_resource "aws_acm_certificate_validation" {
    defaults = { certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { id = "us-east-1" }
  }
  mock_data "aws_prefix_list" {
    defaults = { id = "pl-02cd2c6b" }
  }
}

variables {
  release_manifest = "tests/release.json"
  domain_name      = "orders.example.org"
  hosted_zone_id   = "Z0123456789ABC"
  vpc_id           = "vpc-0a1"
  subnet_ids       = ["subnet-0a1", "subnet-0b2"]
}

run "the_api_has_a_name_of_its_own_and_no_other_address" {
  command = apply
  assert {
    condition     = module.domain.settings.http.domain_name == "orders.example.org" && module.domain.settings.http.mapped_to == "api/$default" && module.domain.settings.http.records == ["A orders.example.org ${module.domain.targets["orders.example.org"]}"]
    error_message = "The name must lead to the API's stage: ${jsonencode(module.domain.settings)}"
  }
  assert {
    condition     = output.url == "https://orders.example.org/v1/orders" && module.api.settings.endpoint_disabled
    error_message = "Services must use the name, and nothing else."
  }
}

run "the_writer_runs_in_the_vpc_that_exists" {
  command = apply
  assert {
    condition     = module.network.vpc_id == "vpc-0a1" && module.network.settings.cidr_block == null && length(module.network.settings.zones) == 0 && module.network.endpoint_policy == null
    error_message = "The VPC, its subnets and its endpoint belong to another team."
  }
  assert {
    condition     = module.service.vpc == { orders-write = { subnet_ids = toset(["subnet-0a1", "subnet-0b2"]), security_group_ids = toset(["sg-functions"]) } }
    error_message = "Only the function that writes runs in the VPC."
  }
}

run "a_vpc_without_an_endpoint_gets_one_for_this_table" {
  command = apply
  variables { route_table_ids = ["rtb-0a1"] }
  assert {
    condition     = jsondecode(module.network.endpoint_policy).Statement[0].Resource == ["arn:aws:dynamodb:us-east-1:123456789012:table/orders", "arn:aws:dynamodb:us-east-1:123456789012:table/orders/index/*"]
    error_message = "The endpoint lets through the table and its index only."
  }
}

run "events_of_a_customer_stay_in_order" {
  command = apply
  assert {
    condition     = module.queue.name == "order-events-orders.fifo" && output.dead_letter_queue_name == "order-events-orders-dlq.fifo" && module.queue.settings.main.dead_letters[0].maxReceiveCount == 3
    error_message = "A FIFO queue, and a FIFO queue for what fails three times."
  }
}

run "events_are_found_by_time" {
  command = apply
  assert {
    condition     = jsonencode([module.orders.settings.keys, module.orders.settings.attributes, module.orders.index_arns]) == jsonencode([["customerId", "eventId"], { customerId = "S", eventId = "S", occurredAt = "N" }, { ByTime = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/index/ByTime" }])
    error_message = "A second sort key for each customer: ${jsonencode(module.orders.settings)}"
  }
}

run "each_function_may_do_its_own_part_and_no_more" {
  command = apply
  assert {
    condition = { for key, grants in module.service.grants : key => [for grant in grants : grant if !startswith(grant, "logs:") && !startswith(grant, "xray:") && !startswith(grant, "ec2:")] } == {
      orders-take = ["sqs:SendMessage arn:aws:sqs:us-east-1:123456789012:orders.fifo"]
      orders-write = [
        "dynamodb:PutItem arn:aws:dynamodb:us-east-1:123456789012:table/orders",
        "dynamodb:Query arn:aws:dynamodb:us-east-1:123456789012:table/orders/index/ByTime",
        "sqs:DeleteMessage arn:aws:sqs:us-east-1:123456789012:orders.fifo",
        "sqs:GetQueueAttributes arn:aws:sqs:us-east-1:123456789012:orders.fifo",
        "sqs:ReceiveMessage arn:aws:sqs:us-east-1:123456789012:orders.fifo",
      ]
    }
    error_message = "The function behind the API only queues. The other one reads the queue, and writes and reads the table."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name            = "Has_Upper"
    domain_name     = "Orders"
    hosted_zone_id  = "example.org"
    vpc_id          = "main"
    subnet_ids      = ["subnet-0a1"]
    route_table_ids = ["main"]
  }
  expect_failures = [var.name, var.domain_name, var.hosted_zone_id, var.vpc_id, var.subnet_ids, var.route_table_ids]
}
