{{- /* Names and labels of all objects. */ -}}

{{- /* Begins names of Services, which are labels of DNS: a release's name may have dots and begin with a digit. */ -}}
{{- define "causeway.fullname" -}}
{{- $name := default .Release.Name .Values.fullnameOverride | replace "." "-" | trunc 40 | trimSuffix "-" -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- fail (printf "Names of Services begin with a letter and have a-z, 0-9 and - only, which %s does not: set fullnameOverride" $name) -}}
{{- end -}}
{{ $name }}
{{- end -}}

{{- define "causeway.serviceAccount" -}}
{{ default (include "causeway.fullname" .) .Values.serviceAccount.name }}
{{- end -}}

{{- define "causeway.version" -}}
{{ default .Chart.AppVersion .Values.image.tag | trunc 63 }}
{{- end -}}

{{- define "causeway.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* What never changes in the life of a release. Argument: root, component. */ -}}
{{- define "causeway.selector" -}}
app.kubernetes.io/name: causeway
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "causeway.commonLabels" -}}
app.kubernetes.io/name: causeway
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ include "causeway.version" . | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* Argument: root, component. */ -}}
{{- define "causeway.labels" -}}
{{ include "causeway.commonLabels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}
