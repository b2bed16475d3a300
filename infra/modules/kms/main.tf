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

  # Everything that manages a key. Nothing here encrypts, decrypts or lets another principal do so (no grants).
  administration = [
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
  ]

  # A key for the named users alone. A principal is named by a condition and not as a principal: AWS refuses a key policy that names a role
  # which does not exist yet. The role's own policy has to allow the same.
  users = var.users == null ? { principal_arns = toset([]), encryption_context_keys = toset([]), encryption_context_required = true } : var.users
  user_statements = [for statement in [
    {
      Sid       = "Administration"
      Effect    = "Allow"
      Principal = { AWS = local.root }
      Action    = local.administration
      Resource  = ["*"]
    },
    {
      Sid       = "Users"
      Effect    = "Allow"
      Principal = { AWS = local.root }
      Action    = ["kms:Decrypt", "kms:Encrypt"]
      Resource  = ["*"]
      Condition = merge(
        { ArnLike = { "aws:PrincipalArn" = sort(local.users.principal_arns) } },
        length(local.users.encryption_context_keys) == 0 ? {} : {
          "ForAllValues:StringEquals" = { "kms:EncryptionContextKeys" = sort(local.users.encryption_context_keys) }
        },
        # A request without any context satisfies ForAllValues, so each key is also required to be present.
        length(local.users.encryption_context_keys) == 0 || !local.users.encryption_context_required ? {} : {
          Null = { for key in local.users.encryption_context_keys : "kms:EncryptionContext:${key}" => "false" }
        },
      )
    },
  ] : statement if var.users != null]

  shared_statements = [for statement in concat(
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
  ) : statement if var.users == null]
}

resource "aws_kms_key" "this" {
  for_each = local.create

  description             = coalesce(var.description, "Data at rest of ${local.name}.")
  enable_key_rotation     = true
  rotation_period_in_days = var.rotation_period_days
  deletion_window_in_days = var.deletion_window_days

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.user_statements, local.shared_statements)
  })

  tags = var.tags
}

resource "aws_kms_alias" "this" {
  for_each = local.create

  name          = "alias/${local.name}"
  target_key_id = aws_kms_key.this["this"].key_id
}
