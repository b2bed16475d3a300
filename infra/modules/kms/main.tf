data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  name = join("-", compact([var.name_prefix, var.name]))

  create  = var.create ? { this = true } : {}
  account = data.aws_caller_identity.current.account_id
  root    = "arn:${data.aws_partition.current.partition}:iam::${local.account}:root"

  # Services that use the key in nobody's name; each only for this account.
  services = {
    Alarms = "cloudwatch.amazonaws.com"
    Events = "events.amazonaws.com"
    Topics = "sns.amazonaws.com"
  }
}

resource "aws_kms_key" "this" {
  for_each = local.create

  description             = "Data at rest of ${local.name}."
  enable_key_rotation     = true
  rotation_period_in_days = var.rotation_period_days
  deletion_window_in_days = var.deletion_window_days

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          # Roles get what they need by their own policies.
          Sid       = "Account"
          Effect    = "Allow"
          Principal = { AWS = local.root }
          Action    = ["kms:*"]
          Resource  = ["*"]
        },
        {
          Sid       = "Logs"
          Effect    = "Allow"
          Principal = { Service = "logs.${data.aws_region.current.id}.amazonaws.com" }
          Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
          Resource  = ["*"]
          Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.id}:${local.account}:log-group:*" } }
        },
        {
          # A bus looks at its key before it takes it; AWS says nothing of sending an account with that, so none is asked for.
          Sid       = "EventsLook"
          Effect    = "Allow"
          Principal = { Service = "events.amazonaws.com" }
          Action    = ["kms:DescribeKey"]
          Resource  = ["*"]
        },
      ],
      [for sid, service in local.services : {
        Sid       = sid
        Effect    = "Allow"
        Principal = { Service = service }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = ["*"]
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      }],
    )
  })

  tags = var.tags
}

resource "aws_kms_alias" "this" {
  for_each = local.create

  name          = "alias/${local.name}"
  target_key_id = aws_kms_key.this["this"].key_id
}
