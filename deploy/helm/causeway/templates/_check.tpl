{{- /*
What Causeway's --check refuses, as far as templates can tell: the program's own JSON Schema (a copy in files/), and some rules
between keys. --check knows the rest: files, variables, and what a schema cannot say.
*/ -}}

{{- /* Fails with all problems of a part's config. Argument: root, part. */ -}}
{{- define "causeway.check" -}}
{{- $schema := .root.Files.Get (printf "files/%s.schema.json" .part.program) | fromJson -}}
{{- $problems := include "causeway.problems" (dict "schema" $schema "value" .part.config "path" "") | fromJsonArray -}}
{{- if not $problems -}}
{{- $problems = include "causeway.ruleProblems" .part | fromJsonArray -}}
{{- end -}}
{{- if $problems -}}
{{- fail (printf "%s.config:\n  %s" .part.component (join "\n  " $problems)) -}}
{{- end -}}
{{- end -}}

{{- /* Problems of a value, as a JSON array of texts "KEY: REASON". Argument: schema, value, path. */ -}}
{{- define "causeway.problems" -}}
{{- $schema := .schema -}}
{{- $value := .value -}}
{{- $path := .path -}}
{{- $kind := kindOf $value -}}
{{- $reason := "" -}}
{{- $problems := list -}}
{{- if hasKey $schema "anyOf" -}}
  {{- $constants := list -}}
  {{- $isFine := false -}}
  {{- range $index, $option := $schema.anyOf -}}
    {{- $found := include "causeway.problems" (dict "schema" $option "value" $value "path" $path) | fromJsonArray -}}
    {{- if not $found -}}{{- $isFine = true -}}{{- end -}}
    {{- if hasKey $option "const" -}}{{- $constants = append $constants $option.const -}}{{- end -}}
    {{- $constants = concat $constants (default list $option.enum) -}}
    {{- if eq $index 0 -}}{{- $problems = $found -}}{{- end -}}
  {{- end -}}
  {{- if $isFine -}}
    {{- $problems = list -}}
  {{- else if $constants -}}
    {{- $problems = list (printf "%s: must be one of %s" $path (join ", " $constants)) -}}
  {{- end -}}
{{- else if hasKey $schema "const" -}}
  {{- if ne (toJson $value) (toJson $schema.const) -}}{{- $reason = printf "must be %v" $schema.const -}}{{- end -}}
{{- else if hasKey $schema "enum" -}}
  {{- if not (has $value $schema.enum) -}}{{- $reason = printf "must be one of %s" (join ", " $schema.enum) -}}{{- end -}}
{{- else if eq (default "" $schema.type) "object" -}}
  {{- if ne $kind "map" -}}
    {{- $reason = "must be a map" -}}
  {{- else -}}
    {{- $known := default dict $schema.properties -}}
    {{- range $key, $item := $value -}}
      {{- $place := ternary $key (printf "%s.%s" $path $key) (eq $path "") -}}
      {{- if hasKey $known $key -}}
        {{- $problems = concat $problems (include "causeway.problems" (dict "schema" (index $known $key) "value" $item "path" $place) | fromJsonArray) -}}
      {{- else if eq (toJson $schema.additionalProperties) "false" -}}
        {{- $isAllowed := false -}}
        {{- range $pattern, $_ := default dict $schema.patternProperties -}}
          {{- if regexMatch $pattern $key -}}{{- $isAllowed = true -}}{{- end -}}
        {{- end -}}
        {{- if not $isAllowed -}}
          {{- $problems = append $problems (printf "%s: unknown key (known here: %s)" $place (keys $known | sortAlpha | join ", ")) -}}
        {{- end -}}
      {{- end -}}
    {{- end -}}
    {{- range $key := $schema.required -}}
      {{- if not (hasKey $value $key) -}}
        {{- $problems = append $problems (printf "%s: the key %s is missing" (default "the file" $path) $key) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- else if eq (default "" $schema.type) "array" -}}
  {{- if ne $kind "slice" -}}
    {{- $reason = "must be a list" -}}
  {{- else -}}
    {{- range $index, $item := $value -}}
      {{- $problems = concat $problems (include "causeway.problems" (dict "schema" (default dict $schema.items) "value" $item "path" (printf "%s[%d]" $path $index)) | fromJsonArray) -}}
    {{- end -}}
    {{- if lt (len $value) (int $schema.minItems) -}}{{- $reason = ternary "must not be empty" (printf "must have %v entries or more" $schema.minItems) (eq (int $schema.minItems) 1) -}}{{- end -}}
  {{- end -}}
{{- else if has $schema.type (list "integer" "number") -}}
  {{- if ne $kind "float64" -}}
    {{- $reason = "must be a number" -}}
  {{- else if and (eq $schema.type "integer") (ne (floor $value) $value) -}}
    {{- $reason = "must be a whole number" -}}
  {{- else if and (hasKey $schema "minimum") (lt $value $schema.minimum) -}}
    {{- $reason = printf "must be %v or more" (int64 $schema.minimum) -}}
  {{- else if and (hasKey $schema "maximum") (gt $value $schema.maximum) -}}
    {{- $reason = printf "must be %v or less" (int64 $schema.maximum) -}}
  {{- end -}}
{{- else if eq (default "" $schema.type) "boolean" -}}
  {{- if ne $kind "bool" -}}{{- $reason = "must be true or false" -}}{{- end -}}
{{- else if eq (default "" $schema.type) "string" -}}
  {{- if ne $kind "string" -}}
    {{- $reason = "must be a text" -}}
  {{- else if and $schema.pattern (not (contains "(?" $schema.pattern)) (not (regexMatch $schema.pattern $value)) -}}
    {{- $reason = printf "must match %s" $schema.pattern -}}
  {{- end -}}
{{- end -}}
{{- if $reason -}}
  {{- $problems = append $problems (printf "%s: %s" (default "the file" $path) $reason) -}}
{{- end -}}
{{ toJson $problems }}
{{- end -}}

{{- /* Keys with a secret in clear text, as a JSON array. Argument: value, path. */ -}}
{{- define "causeway.clearSecrets" -}}
{{- $found := list -}}
{{- $secrets := list "secret" "token" "password" "clientSecret" "keyPassphrase" -}}
{{- if kindIs "map" .value -}}
  {{- range $key, $item := .value -}}
    {{- $place := printf "%s%s" $.path $key -}}
    {{- $isSecret := or (has $key $secrets) (and (eq $.path "tracing.headers.") (regexMatch "(?i)auth|key|token|secret" $key)) -}}
    {{- if and $isSecret (kindIs "string" $item) (not (contains "${" $item)) -}}
      {{- $found = append $found $place -}}
    {{- end -}}
    {{- $found = concat $found (include "causeway.clearSecrets" (dict "value" $item "path" (printf "%s." $place)) | fromJsonArray) -}}
  {{- end -}}
{{- else if kindIs "slice" .value -}}
  {{- range $index, $item := .value -}}
    {{- $found = concat $found (include "causeway.clearSecrets" (dict "value" $item "path" (printf "%s[%d]." (trimSuffix "." $.path) $index)) | fromJsonArray) -}}
  {{- end -}}
{{- end -}}
{{ toJson $found }}
{{- end -}}

{{- /* Rules between keys, and what no pod would work with. Argument: a part. */ -}}
{{- define "causeway.ruleProblems" -}}
{{- $config := .config -}}
{{- $problems := list -}}
{{- $trust := default dict $config.trust -}}
{{- range $peer := $trust.peers -}}
  {{- if and (regexMatch "^[0-9.]+(/[0-9]+)?$|^[0-9a-fA-F]*:[0-9a-fA-F:.]*(/[0-9]+)?$" (toString $peer)) (not (or $trust.secret $trust.secretFile)) -}}
    {{- $problems = append $problems (printf "trust.peers: %v is an address, so the peer must show a secret: set trust.secret or trust.secretFile" $peer) -}}
  {{- end -}}
{{- end -}}
{{- range include "causeway.clearSecrets" (dict "value" $config "path" "") | fromJsonArray -}}
  {{- $problems = append $problems (printf "%s: a secret in clear text would be in a ConfigMap: write ${NAME}, and take NAME from a Secret in env" .) -}}
{{- end -}}
{{- $directories := keys .values.secrets -}}
{{- range .values.certificates -}}
  {{- $directories = append $directories .directory -}}
{{- end -}}
{{- range $found := regexFindAll "[fF]ile: *[\"']?/[^\\s,}\"']+" (regexReplaceAll "(?m)(^|\\s)#.*$" .text "") -1 | uniq -}}
  {{- $file := regexFind "/.*" $found -}}
  {{- $isThere := or (hasPrefix "/etc/ssl/" $file) (eq $file (dig "accessLog" "file" "" $config)) -}}
  {{- range $directories -}}
    {{- if hasPrefix (printf "%s/" (trimSuffix "/" .)) $file -}}{{- $isThere = true -}}{{- end -}}
  {{- end -}}
  {{- if not $isThere -}}
    {{- $problems = append $problems (printf "%s is in no directory of %s.secrets and %s.certificates" $file $.component $.component) -}}
  {{- end -}}
{{- end -}}
{{- if dig "accessLog" "file" "" $config -}}
  {{- $problems = append $problems "accessLog.file: the file system of the pod is read-only: leave it out, and the lines go to standard output" -}}
{{- end -}}
{{- if and (eq .program "bridge") (or (gt (int .values.replicas) 1) .values.autoscaling.enabled) (not (contains "${" $config.bridge.name)) -}}
  {{- $problems = append $problems "bridge.name: each bridge needs a name of its own, by which it owns its consumers: write ${POD_NAME}" -}}
{{- end -}}
{{- if eq .program "gateway" -}}
  {{- $names := list -}}
  {{- range $region := $config.regions -}}
    {{- if has $region.name $names -}}
      {{- $problems = append $problems (printf "regions: duplicate region %s" $region.name) -}}
    {{- end -}}
    {{- $names = append $names $region.name -}}
    {{- range $index, $target := $region.targets -}}
      {{- if eq (hasKey $target "url") (hasKey $target "dns") -}}
        {{- $problems = append $problems (printf "regions: target %d of %s needs either url or dns" $index $region.name) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
  {{- $own := dig "gateway" "region" "" $config -}}
  {{- if and $own (not (contains "${" $own)) (not (has $own $names)) -}}
    {{- $problems = append $problems (printf "gateway.region: %s is not in regions" $own) -}}
  {{- end -}}
  {{- if and $config.access (not $config.auth) -}}
    {{- $problems = append $problems "access: needs the section auth" -}}
  {{- end -}}
{{- end -}}
{{ toJson $problems }}
{{- end -}}
