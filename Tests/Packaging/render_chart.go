// Renders a Helm chart with Go's own template engine, which is Helm's: JSON in on standard input, JSON out on standard output.
//
// Only those of Helm's functions that the chart uses are here; another one is an error when the templates are parsed.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"text/template"
)

type input struct {
	Templates map[string]string
	Files     map[string]string
	Values    map[string]any
	Chart     map[string]any
	Release   map[string]any
}

type files map[string]string

func (f files) Get(name string) string { return f[name] }

// yaml writes a value in block style, keys sorted as Helm does; strings are quoted, which only looks different.
func yaml(value any, indent string) string {
	switch value := value.(type) {
	case map[string]any:
		if len(value) == 0 {
			return "{}"
		}
		keys := make([]string, 0, len(value))
		for key := range value {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		var lines []string
		for _, key := range keys {
			lines = append(lines, yaml(key, "")+":"+below(value[key], indent))
		}
		return strings.Join(lines, "\n"+indent)
	case []any:
		if len(value) == 0 {
			return "[]"
		}
		var lines []string
		for _, element := range value {
			lines = append(lines, "- "+yaml(element, indent+"  "))
		}
		return strings.Join(lines, "\n"+indent)
	default:
		text, err := json.Marshal(value)
		if err != nil {
			panic(err)
		}
		return string(text)
	}
}

func below(value any, indent string) string {
	switch value := value.(type) {
	case map[string]any:
		if len(value) > 0 {
			return "\n" + indent + "  " + yaml(value, indent+"  ")
		}
	case []any:
		if len(value) > 0 {
			return "\n" + indent + yaml(value, indent)
		}
	}
	return " " + yaml(value, indent)
}

func nindent(spaces int, text string) string {
	pad := strings.Repeat(" ", spaces)
	return "\n" + pad + strings.ReplaceAll(text, "\n", "\n"+pad)
}

func orElse(fallback, value any) any {
	if truth, ok := template.IsTrue(value); !ok || !truth {
		return fallback
	}
	return value
}

func dict(pairs ...any) map[string]any {
	made := map[string]any{}
	for index := 0; index+1 < len(pairs); index += 2 {
		made[pairs[index].(string)] = pairs[index+1]
	}
	return made
}

func render(chart input) (map[string]string, error) {
	all := template.New("chart").Option("missingkey=zero")
	all.Funcs(template.FuncMap{
		"include": func(name string, data any) (string, error) {
			var out bytes.Buffer
			err := all.ExecuteTemplate(&out, name, data)
			return out.String(), err
		},
		"toYaml":     func(value any) string { return yaml(value, "") },
		"nindent":    nindent,
		"quote":      func(value any) string { return fmt.Sprintf("%q", fmt.Sprint(value)) },
		"default":    orElse,
		"trunc":      func(length int, text string) string { return text[:min(length, len(text))] },
		"trimSuffix": func(suffix, text string) string { return strings.TrimSuffix(text, suffix) },
		"sha256sum":  func(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) },
		"fail":       func(text string) (string, error) { return "", errors.New(text) },
		"list":       func(elements ...any) []any { return elements },
		"dict":       dict,
	})
	for name, text := range chart.Templates {
		if _, err := all.New(name).Parse(text); err != nil {
			return nil, err
		}
	}
	data := map[string]any{
		"Values": chart.Values, "Chart": chart.Chart, "Release": chart.Release, "Files": files(chart.Files),
	}
	rendered := map[string]string{}
	for name := range chart.Templates {
		if strings.HasSuffix(name, ".tpl") {
			continue
		}
		var out bytes.Buffer
		if err := all.ExecuteTemplate(&out, name, data); err != nil {
			return nil, err
		}
		// As Helm does with keys that are not there.
		rendered[name] = strings.ReplaceAll(out.String(), "<no value>", "")
	}
	return rendered, nil
}

func main() {
	var chart input
	err := json.NewDecoder(os.Stdin).Decode(&chart)
	if err == nil {
		var rendered map[string]string
		if rendered, err = render(chart); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(rendered)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
