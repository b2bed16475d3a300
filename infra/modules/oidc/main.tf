locals {
  create       = var.create ? { this = true } : {}
  provider_arn = var.create_provider ? try(aws_iam_openid_connect_provider.github["this"].arn, null) : var.provider_arn
  roles        = var.create ? var.roles : {}

  # GitHub writes the subject in one of two forms: with the names alone, or, for repositories that were made, renamed or moved since
  # July 2026, with the ids as well. Ids are never given to another repository.
  repositories = concat([var.repository], var.repository_ids == null || !var.create ? [] : [
    "${split("/", var.repository)[0]}@${var.repository_ids.owner}/${split("/", var.repository)[1]}@${var.repository_ids.repository}",
  ])

  # The names of the token's claims in conditions begin with the issuer without its scheme.
  issuer = trimprefix(var.issuer_url, "https://")

  managed_policies = merge([for name, role in local.roles : {
    for arn in role.managed_policy_arns : "${name} ${arn}" => { role = name, arn = arn }
  }]...)
}

# One per account. AWS checks GitHub's certificate by its own trust store: no thumbprint to keep current.
resource "aws_iam_openid_connect_provider" "github" {
  for_each = var.create_provider ? local.create : {}

  url            = var.issuer_url
  client_id_list = [var.audience]
  tags           = var.tags
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name                 = "${var.name_prefix}-${each.key}"
  description          = each.value.description
  max_session_duration = each.value.max_session_seconds
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags

  # The subject decides which jobs may take the role: exactly these, compared as they are.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = local.provider_arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.issuer}:aud" = var.audience
          "${local.issuer}:sub" = sort(concat(tolist(each.value.exact_subjects), flatten([for repository in local.repositories : [for subject in each.value.subjects : "repo:${repository}:${subject}"]])))
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = { for name, role in local.roles : name => role if role.policy_json != null }

  name   = "pipeline"
  role   = aws_iam_role.this[each.key].id
  policy = each.value.policy_json
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = local.managed_policies

  role       = aws_iam_role.this[each.value.role].name
  policy_arn = each.value.arn
}
