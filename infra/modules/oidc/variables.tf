variable "create" {
  description = "Whether to create any resource."
  type        = bool
  default     = true
}

variable "name_prefix" {
  description = "Prefix of the roles' names: `<name_prefix>-<role>`."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,40}$", var.name_prefix))
    error_message = "name_prefix must have 1 to 40 characters out of a-z, A-Z, 0-9, '_' and '-'."
  }
}

variable "repository" {
  description = "GitHub repository whose workflows may take the roles: owner/name."
  type        = string

  validation {
    condition     = !var.create || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be owner/name, without wildcards."
  }
}

variable "repository_ids" {
  description = "Numbers of the repository and of its owner at GitHub (`gh api repos/<owner>/<name> --jq '.owner.id, .id'`). With them, the roles also accept subjects that contain the numbers, which GitHub sends for repositories that were made, renamed or moved since July 2026. Null accepts the names alone."
  type = object({
    owner      = string
    repository = string
  })
  default = null

  validation {
    condition     = var.repository_ids == null ? true : alltrue([for id in values(var.repository_ids) : can(regex("^[1-9][0-9]{0,19}$", id))])
    error_message = "repository_ids must be two numbers: owner and repository."
  }
}

variable "issuer_url" {
  description = "Issuer of the tokens. The default is GitHub's. GitHub Enterprise and other systems, such as GitLab, have one of their own; give `exact_subjects` where its subjects have another form than GitHub's."
  type        = string
  default     = "https://token.actions.githubusercontent.com"

  validation {
    condition     = can(regex("^https://[a-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?$", var.issuer_url))
    error_message = "issuer_url must be an https:// address without a slash at the end, as the claim iss of the tokens has it."
  }
}

variable "audience" {
  description = "Audience that the tokens must name (claim aud)."
  type        = string
  default     = "sts.amazonaws.com"

  validation {
    condition     = can(regex("^[A-Za-z0-9.:/_-]{1,255}$", var.audience))
    error_message = "audience must have 1 to 255 characters out of a-z, A-Z, 0-9, '.', ':', '/', '_' and '-', without wildcards."
  }
}

variable "create_provider" {
  description = "Whether to create the issuer's identity provider: once per account."
  type        = bool
  default     = true
}

variable "provider_arn" {
  description = "ARN of the account's identity provider of the issuer when it exists already."
  type        = string
  default     = null

  validation {
    condition     = var.create_provider == (var.provider_arn == null)
    error_message = "provider_arn must be given when create_provider is false, and only then."
  }
}

variable "roles" {
  description = "Roles by name: the subjects that may take them (environment:production, pull_request, ref:refs/heads/main), whole subjects of another issuer (exact_subjects), what they may do, and the longest session (max_session_seconds)."
  type = map(object({
    description         = optional(string, "")
    subjects            = optional(set(string), [])
    exact_subjects      = optional(set(string), [])
    policy_json         = optional(string)
    managed_policy_arns = optional(set(string), [])
    max_session_seconds = optional(number, 3600)
  }))

  validation {
    condition     = alltrue([for role in values(var.roles) : length(role.subjects) + length(role.exact_subjects) > 0])
    error_message = "roles.subjects or roles.exact_subjects must name who may take the role."
  }

  validation {
    condition     = alltrue(flatten([for role in values(var.roles) : [for subject in role.exact_subjects : can(regex("^[^*?[:space:]]{1,255}$", subject))]]))
    error_message = "roles.exact_subjects must be whole subjects (claim sub), without spaces and wildcards, such as project_path:group/project:ref_type:branch:ref:main."
  }

  validation {
    condition     = alltrue(flatten([for role in values(var.roles) : [for subject in role.subjects : can(regex("^(environment:[A-Za-z0-9_-]+|pull_request|ref:refs/(heads|tags)/[A-Za-z0-9._/@-]+)$", subject))]]))
    error_message = "roles.subjects must be environment:<name>, pull_request or ref:refs/heads/<branch>, without wildcards."
  }

  validation {
    condition     = alltrue(flatten([for role in values(var.roles) : [for arn in role.managed_policy_arns : !endswith(arn, "/AdministratorAccess")]]))
    error_message = "roles.managed_policy_arns must not hold AdministratorAccess."
  }

  validation {
    condition     = alltrue([for role in values(var.roles) : role.max_session_seconds >= 3600 && role.max_session_seconds <= 43200 && floor(role.max_session_seconds) == role.max_session_seconds])
    error_message = "roles.max_session_seconds must be a whole number from 3600 to 43200 (12 hours)."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of a policy, or null."
  }
}

variable "tags" {
  description = "Tags of all resources that support them."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && !startswith(lower(key), "aws:") && length(value) <= 256])
    error_message = "tags must have names of 1 to 128 characters that do not start with aws:, and values of at most 256."
  }
}
