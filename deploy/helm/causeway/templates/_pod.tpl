{{- /* The pod of a part. Argument: root, part. */ -}}
{{- define "causeway.podTemplate" -}}
{{- $part := .part -}}
{{- $selector := dict "root" .root "component" $part.component -}}
metadata:
  labels:
    {{- include "causeway.selector" $selector | nindent 4 }}
    app.kubernetes.io/version: {{ include "causeway.version" .root | quote }}
  annotations:
    # Pods roll when it changes: what a program reads at its start only. A gateway reloads the rest of its file; a bridge reloads
    # none of it.
    checksum/config: {{ include "causeway.restartChecksum" $part }}
spec:
  {{- $spec := include "causeway.podSpec" . | fromYaml }}
  {{- $further := deepCopy $part.values.podSpec }}
  {{- range $list := list "containers" "volumes" }}
  {{- if hasKey $further $list }}
  {{- $_ := set $further $list (concat (index $spec $list) (index $further $list)) }}
  {{- end }}
  {{- end }}
  {{- toYaml (mergeOverwrite $spec $further) | nindent 2 }}
{{- end -}}

{{- define "causeway.restartChecksum" -}}
{{- $config := .config -}}
{{- $read := $config -}}
{{- if eq .program "gateway" -}}
{{- $read = pick $config "gateway" "listen" "listeners" "log" "accessLog" "tracing" -}}
{{- $_ := set $read "admin" (pick (default dict $config.admin) "host" "port" "insecure" "tls") -}}
{{- $_ := set $read "request" (pick (default dict $config.request) "maxUrlBytes" "maxHeaderBytes" "headersTimeoutMs" "bodyTimeoutMs") -}}
{{- end -}}
{{ toJson $read | sha256sum }}
{{- end -}}

{{- define "causeway.podSpec" -}}
{{- $part := .part -}}
{{- $values := $part.values -}}
{{- $secrets := include "causeway.secrets" $part | fromJson -}}
{{- $isOpenShift := .root.Capabilities.APIVersions.Has "security.openshift.io/v1" -}}
serviceAccountName: {{ include "causeway.serviceAccount" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- if not $isOpenShift }}
  # The image's own user; OpenShift gives each namespace users of its own. Files of Secrets are readable for the group only.
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  {{- end }}
  seccompProfile: { type: RuntimeDefault }
terminationGracePeriodSeconds: {{ $part.terminationSeconds }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "causeway.selector" (dict "root" $.root "component" $part.component) | nindent 8 }}
    # Pods of the version before, which are about to end, do not count.
    matchLabelKeys: [{{ ternary "controller-revision-hash" "pod-template-hash" (eq $part.component "bridge") }}]
  {{- end }}
containers:
  - name: {{ $part.program }}
    image: {{ include "causeway.image" .root | quote }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    args: [{{ $part.program }}, --config, /etc/causeway/{{ $part.program }}.yaml]
    env:
      - name: POD_NAME
        valueFrom: { fieldRef: { fieldPath: metadata.name } }
      # The heap gets half of the container's memory: bodies and records are outside of it, in buffers.
      - name: NODE_OPTIONS
        value: --max-old-space-size-percentage=50
      {{- range $name, $value := $values.env }}
      - name: {{ $name }}
        {{- if kindIs "map" $value }}
        valueFrom: { secretKeyRef: { name: {{ $value.secret }}, key: {{ $value.key }} } }
        {{- else }}
        {{- /* Helm reads numbers as floats, which would be written as 1e+06. */}}
        value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}
        {{- end }}
      {{- end }}
    ports:
      {{- range include "causeway.ports" $part | fromJsonArray }}
      - name: {{ .name }}
        containerPort: {{ .port }}
      {{- end }}
    {{- with $part.health }}
    # Begins the other two: a start takes a second, or more on a busy node.
    startupProbe:
      httpGet: { path: /healthy, port: {{ .name }}, scheme: {{ upper .scheme }} }
      periodSeconds: 1
      failureThreshold: 60
    # The process itself, and nothing behind it: a restart would not bring Kafka or a region back.
    livenessProbe:
      httpGet: { path: /healthy, port: {{ .name }}, scheme: {{ upper .scheme }} }
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 3
    # Gateway: some target is available. Bridge: Kafka responds.
    readinessProbe:
      httpGet: { path: /ready, port: {{ .name }}, scheme: {{ upper .scheme }} }
      periodSeconds: 2
      timeoutSeconds: 2
      failureThreshold: 3
    {{- end }}
    lifecycle:
      # The pod still listens while Services, load balancers and other nodes notice that it goes.
      preStop: { sleep: { seconds: {{ $values.preStopSeconds }} } }
    resources:
      {{- toYaml $values.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: { drop: [ALL] }
    volumeMounts:
      # A directory, not a subPath: Kubernetes swaps the files of a directory when the ConfigMap changes.
      - name: config
        mountPath: /etc/causeway
        readOnly: true
      {{- range $directory, $secret := $secrets }}
      - name: {{ include "causeway.volume" $directory }}
        mountPath: {{ $directory }}
        readOnly: true
      {{- end }}
volumes:
  - name: config
    configMap: { name: {{ $part.name }} }
  {{- range $directory, $secret := $secrets }}
  - name: {{ include "causeway.volume" $directory }}
    secret: { secretName: {{ $secret }}, defaultMode: 0440 }
  {{- end }}
{{- end -}}

{{- /* The Secrets that become files, as JSON: their names by directory. Argument: a part. */ -}}
{{- define "causeway.secrets" -}}
{{- $component := .component -}}
{{- $found := dict -}}
{{- $all := list -}}
{{- range $directory, $secret := .values.secrets -}}
{{- $all = append $all (list $directory $secret) -}}
{{- end -}}
{{- range $name, $certificate := .values.certificates -}}
{{- $all = append $all (list $certificate.directory (printf "%s-%s" $.name $name)) -}}
{{- end -}}
{{- range $all -}}
{{- $directory := first . | trimSuffix "/" -}}
{{- if hasKey $found $directory -}}
{{- fail (printf "%s: two Secrets are for the directory %s" $component $directory) -}}
{{- end -}}
{{- if hasPrefix "/etc/causeway/" (printf "%s/" $directory) -}}
{{- fail (printf "%s: a Secret cannot be in %s, which has the configuration: use /run/secrets/NAME" $component $directory) -}}
{{- end -}}
{{- $_ := set $found $directory (last .) -}}
{{- end -}}
{{ toJson $found }}
{{- end -}}

{{- /* The name of the volume for a directory: a DNS label. The hash keeps names apart that are alike as labels. */ -}}
{{- define "causeway.volume" -}}
{{- $plain := replace "/" "-" . -}}
{{- $label := regexReplaceAll "[^a-z0-9-]" (lower $plain) "-" | trunc 45 | trimAll "-" -}}
{{ ternary (printf "files-%s" $label) (printf "files-%s-%s" $label (sha256sum . | trunc 8)) (eq $plain (printf "-%s" $label)) }}
{{- end -}}

{{- /* All ports of a part's container, as a JSON array. */ -}}
{{- define "causeway.ports" -}}
{{- $ports := .listeners -}}
{{- if eq .health.name "management" -}}
{{- $ports = append $ports .health -}}
{{- end -}}
{{ toJson $ports }}
{{- end -}}
