{{/* Labels of everything, and of one role. */}}
{{- define "ba-copilot.labels" -}}
app.kubernetes.io/name: ba-copilot
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
{{- define "ba-copilot.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{/* Where each role listens. */}}
{{- define "ba-copilot.ports" -}}
web: 3000
api: 8001
ai: 8000
mcp: 3000
{{- end }}
{{/* A pod that may do nothing but its work. */}}
{{- define "ba-copilot.pod-security" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}
{{- define "ba-copilot.container-security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
