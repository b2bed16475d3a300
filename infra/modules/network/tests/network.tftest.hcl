mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { id = "us-east-1" }
  }
  mock_data "aws_prefix_list" {
    defaults = { id = "pl-02cd2c6b" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/vpc/example" }
  }
  mock_resource "aws_iam_role" {
    defaults = { id = "example-flow-logs", arn = "arn:aws:iam::123456789012:role/example-flow-logs" }
  }
}

override_resource {
  target = aws_security_group.functions
  values = { id = "sg-functions" }
}

override_resource {
  target = aws_security_group.endpoints
  values = { id = "sg-endpoints" }
}

variables {
  name                = "example"
  availability_zones  = ["us-east-1a", "us-east-1b"]
  dynamodb_table_arns = ["arn:aws:dynamodb:us-east-1:123456789012:table/t"]
}

run "a_private_network_reaches_its_tables_and_nothing_else" {
  command = apply
  assert {
    condition     = [for zone in var.availability_zones : aws_subnet.private[zone].cidr_block] == ["10.40.0.0/20", "10.40.16.0/20"] && alltrue([for subnet in aws_subnet.private : !subnet.map_public_ip_on_launch])
    error_message = "A private subnet in each zone."
  }
  assert {
    condition     = aws_vpc_endpoint.dynamodb["this"].vpc_endpoint_type == "Gateway" && jsondecode(aws_vpc_endpoint.dynamodb["this"].policy).Statement[0].Resource == ["arn:aws:dynamodb:us-east-1:123456789012:table/t", "arn:aws:dynamodb:us-east-1:123456789012:table/t/index/*"]
    error_message = "The endpoint lets through these tables only, and costs nothing."
  }
  assert {
    condition     = aws_vpc_security_group_egress_rule.dynamodb["this"].prefix_list_id == "pl-02cd2c6b" && aws_vpc_security_group_egress_rule.dynamodb["this"].from_port == 443
    error_message = "Out to DynamoDB's addresses, HTTPS only."
  }
  assert {
    condition     = aws_flow_log.this["this"].traffic_type == "REJECT" && aws_cloudwatch_log_group.flow["this"].retention_in_days == 30
    error_message = "Refused traffic is logged, for a while."
  }
  assert {
    condition     = aws_flow_log.this["this"].vpc_id == aws_vpc.this["this"].id && aws_default_security_group.this["this"].vpc_id == aws_vpc.this["this"].id && length(aws_default_security_group.this["this"].ingress) + length(aws_default_security_group.this["this"].egress) == 0
    error_message = "The network's own log; and nothing goes through its default group."
  }
  assert {
    condition     = jsonencode([for rule in [aws_vpc_security_group_egress_rule.dynamodb["this"]] : [rule.ip_protocol, rule.from_port, rule.to_port, rule.cidr_ipv4, rule.security_group_id]]) == jsonencode([["tcp", 443, 443, null, "sg-functions"]])
    error_message = "No other port, and nowhere else."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.flow["this"].policy).Statement == [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = ["arn:aws:logs:us-east-1:123456789012:log-group:/aws/vpc/example:*"]
      }, {
      Effect   = "Allow"
      Action   = ["logs:DescribeLogGroups"]
      Resource = ["arn:aws:logs:us-east-1:123456789012:log-group:*"]
    }] && jsondecode(aws_iam_role.flow["this"].assume_role_policy).Statement[0].Principal.Service == "vpc-flow-logs.amazonaws.com"
    error_message = "Flow logs write their own group."
  }
}

run "without_keys_there_is_no_interface_endpoint" {
  command = plan
  assert {
    condition     = length(aws_vpc_endpoint.kms) + length(aws_security_group.endpoints) + length(aws_vpc_security_group_ingress_rule.endpoints) + length(aws_vpc_security_group_egress_rule.endpoints) == 0
    error_message = "An interface endpoint costs money while nobody uses it."
  }
}

run "keys_can_be_used_through_an_endpoint_that_lets_nothing_else_through" {
  command = apply
  variables { endpoint_kms_key_arns = ["arn:aws:kms:us-east-1:123456789012:key/k"] }
  assert {
    condition     = aws_vpc_endpoint.kms["this"].vpc_endpoint_type == "Interface" && aws_vpc_endpoint.kms["this"].service_name == "com.amazonaws.us-east-1.kms" && aws_vpc_endpoint.kms["this"].private_dns_enabled && length(aws_vpc_endpoint.kms["this"].subnet_ids) == length(toset(values(aws_subnet.private)[*].id))
    error_message = "KMS under its usual name, in every subnet."
  }
  assert {
    condition = jsonencode(jsondecode(aws_vpc_endpoint.kms["this"].policy).Statement) == jsonencode([{
      Effect    = "Allow"
      Principal = "*"
      Action    = ["kms:Decrypt", "kms:Encrypt"]
      Resource  = ["arn:aws:kms:us-east-1:123456789012:key/k"]
    }])
    error_message = "These keys, and no other call."
  }
  assert {
    condition     = aws_vpc_endpoint.kms["this"].security_group_ids == toset(["sg-endpoints"]) && alltrue([for rule in [aws_vpc_security_group_ingress_rule.endpoints["this"], aws_vpc_security_group_egress_rule.endpoints["this"]] : rule.from_port == 443 && rule.to_port == 443 && rule.ip_protocol == "tcp"])
    error_message = "HTTPS only."
  }
  assert {
    condition     = [aws_vpc_security_group_ingress_rule.endpoints["this"].security_group_id, aws_vpc_security_group_ingress_rule.endpoints["this"].referenced_security_group_id] == ["sg-endpoints", "sg-functions"] && [aws_vpc_security_group_egress_rule.endpoints["this"].security_group_id, aws_vpc_security_group_egress_rule.endpoints["this"].referenced_security_group_id] == ["sg-functions", "sg-endpoints"]
    error_message = "From the functions to the endpoint, and not the other way."
  }
}

run "create_false_makes_nothing" {
  command = plan
  variables {
    create                = false
    endpoint_kms_key_arns = ["arn:aws:kms:us-east-1:123456789012:key/k"]
  }
  assert {
    condition     = length(aws_vpc_endpoint.kms) + length(aws_security_group.endpoints) + length(aws_vpc.this) + length(aws_subnet.private) + length(aws_vpc_endpoint.dynamodb) + length(aws_security_group.functions) == 0 && length(output.subnet_ids) == 0
    error_message = "Nothing may be created."
  }
}

run "the_flow_logs_role_gets_the_boundary" {
  command = plan
  variables { permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary" }
  assert {
    condition     = aws_iam_role.flow["this"].permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "A role without it is not limited."
  }
}

run "flow_logs_can_be_off" {
  command = plan
  variables { flow_logs_enabled = false }
  assert {
    condition     = length(aws_flow_log.this) + length(aws_iam_role.flow) == 0
    error_message = "No log, no role."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name                     = "has space"
    cidr_block               = "10.0.0.0/8"
    availability_zones       = ["us-east-1a", "us-east-1a"]
    dynamodb_table_arns      = []
    endpoint_kms_key_arns    = []
    log_retention_days       = 0
    tags                     = { "aws:owner" = "me" }
    kms_key_arn              = "alias/mine"
    permissions_boundary_arn = "boundary"
  }
  expect_failures = [var.endpoint_kms_key_arns, var.permissions_boundary_arn, var.name, var.cidr_block, var.availability_zones, var.dynamodb_table_arns, var.log_retention_days, var.tags, var.kms_key_arn]
}

run "refuses_fewer_subnets_than_zones" {
  command = plan
  variables {
    availability_zones = ["us-east-1a", "us-east-1b", "us-east-1c"]
    subnet_newbits     = 1
  }
  expect_failures = [var.subnet_newbits]
}

run "refuses_no_subnets" {
  command = plan
  variables { subnet_newbits = 0 }
  expect_failures = [var.subnet_newbits]
}

run "the_prefix_goes_before_the_name" {
  command = plan
  variables { name_prefix = "team" }
  assert {
    condition     = aws_vpc.this["this"].tags.Name == "team-example"
    error_message = "The name must start with the prefix."
  }
}

run "an_existing_vpc_gets_groups_and_an_endpoint_and_nothing_else" {
  command = apply
  variables {
    availability_zones = []
    existing_vpc       = { vpc_id = "vpc-0a1", subnet_ids = ["subnet-0a1", "subnet-0b2"], route_table_ids = ["rtb-0a1"] }
  }
  assert {
    condition     = length(aws_vpc.this) + length(aws_subnet.private) + length(aws_route_table.private) + length(aws_default_security_group.this) + length(aws_flow_log.this) + length(aws_iam_role.flow) == 0
    error_message = "The owner of the VPC keeps its subnets, its default group and its flow log."
  }
  assert {
    condition     = output.vpc_id == "vpc-0a1" && output.subnet_ids == tolist(["subnet-0a1", "subnet-0b2"]) && aws_security_group.functions["this"].vpc_id == "vpc-0a1"
    error_message = "Functions run in the existing VPC."
  }
  assert {
    condition     = aws_vpc_endpoint.dynamodb["this"].vpc_id == "vpc-0a1" && aws_vpc_endpoint.dynamodb["this"].route_table_ids == toset(["rtb-0a1"])
    error_message = "The route tables lead to the tables."
  }
}

run "an_existing_vpc_can_have_its_own_endpoint" {
  command = plan
  variables {
    availability_zones    = []
    existing_vpc          = { vpc_id = "vpc-0a1", subnet_ids = ["subnet-0a1", "subnet-0b2"] }
    endpoint_kms_key_arns = ["arn:aws:kms:us-east-1:123456789012:key/k"]
  }
  assert {
    condition     = length(aws_vpc_endpoint.dynamodb) == 0 && output.endpoint_policy == null && aws_vpc_endpoint.kms["this"].subnet_ids == toset(["subnet-0a1", "subnet-0b2"])
    error_message = "No second endpoint for a route table; others lie in the given subnets."
  }
}

run "another_service_can_be_used_through_an_endpoint_that_lets_nothing_else_through" {
  command = apply
  variables {
    interface_endpoints = { sqs = { actions = ["sqs:SendMessage"], resources = ["arn:aws:sqs:us-east-1:123456789012:q"] } }
  }
  assert {
    condition     = aws_vpc_endpoint.interface["sqs"].service_name == "com.amazonaws.us-east-1.sqs" && aws_vpc_endpoint.interface["sqs"].vpc_endpoint_type == "Interface" && aws_vpc_endpoint.interface["sqs"].private_dns_enabled && aws_vpc_endpoint.interface["sqs"].security_group_ids == toset(["sg-endpoints"]) && aws_vpc_endpoint.interface["sqs"].subnet_ids == toset(output.subnet_ids)
    error_message = "SQS under its usual name, in every subnet, for the functions."
  }
  assert {
    condition = jsonencode(jsondecode(aws_vpc_endpoint.interface["sqs"].policy).Statement) == jsonencode([{
      Effect    = "Allow"
      Principal = "*"
      Action    = ["sqs:SendMessage"]
      Resource  = ["arn:aws:sqs:us-east-1:123456789012:q"]
    }]) && length(aws_vpc_endpoint.kms) == 0
    error_message = "This action on this queue, and no endpoint to KMS."
  }
}

run "refuses_what_is_no_subnet_and_an_endpoint_that_breaks_connections" {
  command = plan
  variables {
    existing_vpc        = { vpc_id = "vpc-0a1", subnet_ids = ["subnet-0a1", "10.0.0.0/24"] }
    interface_endpoints = { execute-api = { actions = ["execute-api:Invoke"], resources = ["arn:aws:execute-api:us-east-1:123456789012:api"] } }
  }
  expect_failures = [var.existing_vpc, var.interface_endpoints]
}

run "refuses_zones_beside_an_existing_vpc" {
  command = plan
  variables {
    existing_vpc = { vpc_id = "vpc-0a1", subnet_ids = ["subnet-0a1", "subnet-0b2"] }
  }
  expect_failures = [var.availability_zones]
}

run "refuses_what_is_no_route_table_and_every_resource" {
  command = plan
  variables {
    availability_zones  = []
    existing_vpc        = { vpc_id = "vpc-0a1", subnet_ids = ["subnet-0a1", "subnet-0b2"], route_table_ids = ["main"] }
    interface_endpoints = { sqs = { actions = ["sqs:SendMessage"], resources = ["*"] } }
  }
  expect_failures = [var.existing_vpc, var.interface_endpoints]
}
