data "aws_region" "current" {}

# The partition's own list of DynamoDB's addresses: what the functions may reach besides the cache.
data "aws_prefix_list" "dynamodb" {
  for_each = local.create

  name = "com.amazonaws.${data.aws_region.current.id}.dynamodb"
}

locals {
  name = join("-", compact([var.name_prefix, var.name]))

  create  = var.create ? { this = true } : {}
  own     = var.existing_vpc == null ? local.create : {}
  subnets = var.create && var.existing_vpc == null ? { for index, zone in var.availability_zones : zone => cidrsubnet(var.cidr_block, var.subnet_newbits, index) } : {}
  vpc_id  = var.create && var.existing_vpc != null ? var.existing_vpc.vpc_id : try(aws_vpc.this["this"].id, null)

  subnet_ids      = !var.create ? [] : var.existing_vpc != null ? var.existing_vpc.subnet_ids : [for zone in var.availability_zones : aws_subnet.private[zone].id]
  route_table_ids = var.existing_vpc != null ? var.existing_vpc.route_table_ids : [for table in aws_route_table.private : table.id]

  # A VPC that exists without route tables of ours has an endpoint to DynamoDB already: AWS allows one for each route table.
  gateway      = var.existing_vpc == null || length(try(var.existing_vpc.route_table_ids, [])) > 0 ? local.create : {}
  kms_endpoint = var.create && var.endpoint_kms_key_arns != null ? { this = true } : {}
  interfaces   = var.create && (var.endpoint_kms_key_arns != null || length(var.interface_endpoints) > 0) ? { this = true } : {}
}

# Private and closed: no internet gateway, no NAT (no fixed cost), and no execute-api endpoint, which serves private APIs
# only and with private DNS breaks @connections. What posts to sockets, SQS or EventBridge runs outside this network.
resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_11:aws_flow_log.this below enables it; the scanner does not follow for_each. tests/network.tftest.hcl asserts it
  #checkov:skip=CKV2_AWS_12:aws_default_security_group.this below has no rules; the scanner does not follow for_each. tests/network.tftest.hcl asserts it

  for_each = local.own

  cidr_block           = var.cidr_block
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = merge(var.tags, { Name = local.name })
}

# Without rules: nothing can use the default group by mistake.
resource "aws_default_security_group" "this" {
  for_each = local.own

  vpc_id = local.vpc_id
  tags   = merge(var.tags, { Name = "${local.name}-unused" })
}

resource "aws_subnet" "private" {
  for_each = local.subnets

  vpc_id                  = local.vpc_id
  availability_zone       = each.key
  cidr_block              = each.value
  map_public_ip_on_launch = false
  tags                    = merge(var.tags, { Name = "${local.name}-private-${each.key}" })
}

resource "aws_route_table" "private" {
  for_each = local.own

  vpc_id = local.vpc_id
  tags   = merge(var.tags, { Name = "${local.name}-private" })
}

resource "aws_route_table_association" "private" {
  for_each = local.subnets

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private["this"].id
}

# Gateway endpoint: free. Its policy lets through exactly these tables, whatever a role allows.
resource "aws_vpc_endpoint" "dynamodb" {
  for_each = local.gateway

  vpc_id            = local.vpc_id
  service_name      = "com.amazonaws.${data.aws_region.current.id}.dynamodb"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = local.route_table_ids

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = "*"
      Action    = "dynamodb:*"
      Resource  = flatten([for arn in var.dynamodb_table_arns : [arn, "${arn}/index/*"]])
    }]
  })

  tags = merge(var.tags, { Name = "${local.name}-dynamodb" })
}

resource "aws_security_group" "functions" {
  #checkov:skip=CKV2_AWS_5:The functions of other stacks use it, as functions_security_group_id

  for_each = local.create

  name        = "${local.name}-functions"
  description = "Functions in ${local.name}: out to DynamoDB, and to what else adds a rule of its own."
  vpc_id      = local.vpc_id
  tags        = merge(var.tags, { Name = "${local.name}-functions" })
}

resource "aws_vpc_security_group_egress_rule" "dynamodb" {
  for_each = local.create

  security_group_id = aws_security_group.functions["this"].id
  description       = "HTTPS to DynamoDB through the gateway endpoint."
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = data.aws_prefix_list.dynamodb["this"].id
  tags              = var.tags
}

# Interface endpoint: an address in each subnet, charged by the hour. With private DNS the SDK's default address leads to it. Its policy lets
# through exactly these keys, whatever a role allows.
resource "aws_vpc_endpoint" "kms" {
  for_each = local.kms_endpoint

  vpc_id              = local.vpc_id
  service_name        = "com.amazonaws.${data.aws_region.current.id}.kms"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = local.subnet_ids
  security_group_ids  = [aws_security_group.endpoints["this"].id]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = "*"
      Action    = ["kms:Decrypt", "kms:Encrypt"]
      Resource  = var.endpoint_kms_key_arns
    }]
  })

  tags = merge(var.tags, { Name = "${local.name}-kms" })
}

# The same for each other service that the functions call.
resource "aws_vpc_endpoint" "interface" {
  for_each = var.create ? var.interface_endpoints : {}

  vpc_id              = local.vpc_id
  service_name        = "com.amazonaws.${data.aws_region.current.id}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = local.subnet_ids
  security_group_ids  = [aws_security_group.endpoints["this"].id]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = "*"
      Action    = sort(each.value.actions)
      Resource  = sort(each.value.resources)
    }]
  })

  tags = merge(var.tags, { Name = "${local.name}-${each.key}" })
}

resource "aws_security_group" "endpoints" {
  #checkov:skip=CKV2_AWS_5:It is attached to aws_vpc_endpoint.kms above; the scanner does not follow for_each. tests/network.tftest.hcl asserts it

  for_each = local.interfaces

  name        = "${local.name}-endpoints"
  description = "Interface endpoints in ${local.name}: in from the functions, and nothing out."
  vpc_id      = local.vpc_id
  tags        = merge(var.tags, { Name = "${local.name}-endpoints" })
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each = local.interfaces

  security_group_id            = aws_security_group.endpoints["this"].id
  description                  = "HTTPS from the functions."
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.functions["this"].id
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "endpoints" {
  for_each = local.interfaces

  security_group_id            = aws_security_group.functions["this"].id
  description                  = "HTTPS to the interface endpoints."
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.endpoints["this"].id
  tags                         = var.tags
}

resource "aws_cloudwatch_log_group" "flow" {
  #checkov:skip=CKV_AWS_338:The caller chooses the retention (log_retention_days); it is validated and never unlimited

  for_each = var.flow_logs_enabled && length(local.own) > 0 ? { this = true } : {}

  name              = "/aws/vpc/${local.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_iam_role" "flow" {
  for_each = aws_cloudwatch_log_group.flow

  name        = "${local.name}-flow-logs"
  description = "Writes the flow logs of ${local.name}."

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "vpc-flow-logs.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })

  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "flow" {
  for_each = aws_cloudwatch_log_group.flow

  name = "flow-logs"
  role = aws_iam_role.flow["this"].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = ["${each.value.arn}:*"]
      }, {
      # The service looks for its group among all of the account's, and AWS checks the call on all of them.
      Effect   = "Allow"
      Action   = ["logs:DescribeLogGroups"]
      Resource = [replace(each.value.arn, "/:log-group:.*$/", ":log-group:*")]
    }]
  })
}

resource "aws_flow_log" "this" {
  for_each = aws_cloudwatch_log_group.flow

  vpc_id          = local.vpc_id
  traffic_type    = "REJECT"
  log_destination = each.value.arn
  iam_role_arn    = aws_iam_role.flow["this"].arn
  tags            = merge(var.tags, { Name = local.name })

  depends_on = [aws_iam_role_policy.flow]
}
