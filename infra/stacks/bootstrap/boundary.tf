# The most that a role can do that a deploy makes, whatever policy it is given: what the stacks give the roles of functions and flow logs, on what
# carries the environment's name prefix. The deploy's role can make and fill no other role (deploy_policy.tf). A statement in a stack needs its
# actions here, too: scripts/tests/test_infrastructure.py compares.
locals {
  boundary_name = "${module.context.name_prefix}-boundary"
  boundary_arn  = "${local.arn}:iam::${local.account}:policy/${local.boundary_name}"

  boundary_statements = {
    Logs = {
      actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      resources = ["${local.arn}:logs:${local.own}:log-group:/aws/lambda/${module.context.name_prefix}-*", "${local.arn}:logs:${local.own}:log-group:/aws/vpc/${module.context.name_prefix}:*"]
    }
    # The service of the flow logs looks for its group among all of the account's.
    LogGroups = {
      actions   = ["logs:DescribeLogGroups"]
      resources = ["${local.arn}:logs:${local.own}:log-group:*"]
    }
    # Tables with their indexes and streams.
    Tables = {
      actions = [
        "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:DescribeStream", "dynamodb:GetItem", "dynamodb:GetRecords", "dynamodb:GetShardIterator",
        "dynamodb:ListStreams", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
      ]
      resources = ["${local.arn}:dynamodb:${local.own}:table/${module.context.name_prefix}-*"]
    }
    Queues = {
      actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"]
      resources = ["${local.arn}:sqs:${local.own}:${module.context.name_prefix}-*"]
    }
    Events = {
      actions   = ["events:PutEvents"]
      resources = ["${local.arn}:events:${local.own}:event-bus/${module.context.name_prefix}*"]
    }
    # Ids of APIs are not known beforehand.
    Sockets = {
      actions   = ["execute-api:ManageConnections"]
      resources = ["${local.arn}:execute-api:${local.own}:*/*/*/@connections/*"]
    }
    Policies = {
      actions   = ["lambda:InvokeFunction"]
      resources = concat(["${local.arn}:lambda:${local.own}:function:${module.context.name_prefix}-*"], distinct([for policy in [var.topic_policy, var.presence_policy] : policy if startswith(policy, "arn:")]))
    }
    Caches = {
      actions   = ["elasticache:Connect", "elasticache:DescribeCacheClusters", "elasticache:DescribeReplicationGroups", "elasticache:DescribeServerlessCaches"]
      resources = [for kind in ["serverlesscache", "replicationgroup", "cluster", "user"] : "${local.arn}:elasticache:${local.own}:${kind}:${module.context.name_prefix}*"]
    }
    # AWS gives these no resources to name, or checks them on "*" (a function's network).
    Unscoped = {
      actions = [
        "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
        "xray:PutTelemetryRecords", "xray:PutTraceSegments",
      ]
      resources = ["*"]
    }
  }

  boundary_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for sid, statement in local.boundary_statements : {
        Sid      = sid
        Effect   = "Allow"
        Action   = statement.actions
        Resource = statement.resources
      }],
      [{
        # Keys have ids, not names. A key without the tag passes: AWS takes up to five minutes to see that of a new key.
        Sid       = "Keys"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]
        Resource  = ["${local.arn}:kms:${local.own}:key/*"]
        Condition = { StringEqualsIfExists = { "aws:ResourceTag/environment" = [var.env] } }
      }],
    )
  })
}

resource "aws_iam_policy" "boundary" {
  name        = local.boundary_name
  description = "The most that roles of ${var.env} can do that a deploy makes."
  policy      = local.boundary_policy
}
