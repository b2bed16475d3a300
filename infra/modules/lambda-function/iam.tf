locals {
  # What Lambda itself does with the role to read the sources. The local cloud does not enforce these: tests assert them.
  consume_statements = concat(
    [for key, source in var.queue_sources : {
      Sid      = "Consume${replace(title(key), "/[^A-Za-z0-9]/", "")}"
      Effect   = "Allow"
      Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
      Resource = [source.queue_arn]
    }],
    flatten([for key, source in var.stream_sources : [
      {
        Sid      = "Read${replace(title(key), "/[^A-Za-z0-9]/", "")}"
        Effect   = "Allow"
        Action   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        Resource = [source.stream_arn]
      },
      {
        Sid      = "List${replace(title(key), "/[^A-Za-z0-9]/", "")}"
        Effect   = "Allow"
        Action   = ["dynamodb:ListStreams"]
        Resource = ["${join("/stream/", slice(split("/stream/", source.stream_arn), 0, 1))}/stream/*"]
      },
      {
        Sid      = "Fail${replace(title(key), "/[^A-Za-z0-9]/", "")}"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = [source.on_failure_queue_arn]
      },
    ]]),
  )

  kms_statements = var.kms_key_arn == null ? [] : [{
    Sid      = "Key"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = [var.kms_key_arn]
  }]

  # X-Ray has no resources to name: the only place where "*" is right.
  tracing_statements = var.tracing_enabled ? [{
    Sid      = "Tracing"
    Effect   = "Allow"
    Action   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    Resource = ["*"]
  }] : []

  # Lambda makes the network interfaces with the function's role (and checks that it could, on "*"); the code itself
  # is denied the same calls, as AWS advises.
  vpc_actions = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
  ]
  vpc_statements = [for statement in [
    {
      Sid      = "Network"
      Effect   = "Allow"
      Action   = local.vpc_actions
      Resource = ["*"]
    },
    {
      Sid       = "NetworkNotByCode"
      Effect    = "Deny"
      Action    = local.vpc_actions
      Resource  = ["*"]
      Condition = { ArnLike = { "lambda:SourceFunctionArn" = ["arn:*:lambda:*:*:function:${local.name}"] } }
    },
  ] : statement if var.vpc != null]

  permission_statements = [for sid, permission in var.permissions : merge(
    {
      Sid      = sid
      Effect   = "Allow"
      Action   = sort(permission.actions)
      Resource = sort(permission.resources)
    },
    length(permission.conditions) == 0 ? {} : { Condition = permission.conditions },
  )]

  # The output `grants` reads these statements, so actions and resources are always lists.
  policy_statements = flatten([for name, document in var.policies : [
    for index, statement in flatten([jsondecode(document).Statement]) : merge(
      {
        Sid      = "${name}${index}"
        Effect   = statement.Effect
        Action   = flatten([statement.Action])
        Resource = flatten([statement.Resource])
      },
      can(statement.Condition) ? { Condition = statement.Condition } : {},
    )
  ]])
}

resource "aws_iam_role" "this" {
  for_each = local.create

  name        = local.name
  description = "Execution role of the function ${local.name} and of nothing else."

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })

  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "this" {
  for_each = local.create

  name = "function"
  role = aws_iam_role.this["this"].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.this["this"].arn}:*"]
      }],
      local.permission_statements,
      local.policy_statements,
      local.consume_statements,
      local.kms_statements,
      local.tracing_statements,
      local.vpc_statements,
    )
  })
}
