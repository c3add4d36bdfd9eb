package sample

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/ebpf-reel/reel/analyze/filter"
)

// document is a rules file as written.
type document struct {
	Rules   []ruleText `yaml:"rules"`
	Default *ruleText  `yaml:"default"`
	Limit   int        `yaml:"limit"`
}

// ruleText is a rule as written, in a file or in a flag.
type ruleText struct {
	URI              string `yaml:"uri"`
	MinDuration      string `yaml:"min_duration"`
	Status4xx        bool   `yaml:"status_4xx"`
	Status5xx        bool   `yaml:"status_5xx"`
	Where            string `yaml:"where"`
	Request          bool   `yaml:"request"`
	Response         bool   `yaml:"response"`
	MaxRequestBytes  string `yaml:"max_request_bytes"`
	MaxResponseBytes string `yaml:"max_response_bytes"`
}

// MaxFile bounds a rules file, in bytes, and maxRules its rules.
const (
	MaxFile  = 1 << 20
	maxRules = 1000
)

// ParseFile reads a rules file (YAML; docs/sampling.md). The error says which line, or which rule.
func ParseFile(data []byte) (*Rules, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("the rules have %d bytes: at most %d are taken", len(data), MaxFile)
	}
	var d document
	if err := yaml.UnmarshalWithOptions(data, &d, yaml.Strict(), yaml.DisallowUnknownField()); err != nil {
		return nil, errors.New(strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	if len(d.Rules) > maxRules {
		return nil, fmt.Errorf("%d rules: at most %d are taken", len(d.Rules), maxRules)
	}
	if len(d.Rules) == 0 && d.Default == nil {
		return nil, errors.New("there are neither rules nor a default")
	}
	if d.Limit < 0 {
		return nil, errors.New("limit is negative")
	}
	r := &Rules{Limit: d.Limit}
	for i := range d.Rules {
		rule, err := d.Rules[i].rule()
		if err == nil && rule.URI == nil {
			err = errors.New("it has no uri: what is for every other URI stands under default")
		}
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
		r.List = append(r.List, *rule)
	}
	if d.Default != nil {
		rule, err := d.Default.rule()
		if err == nil && rule.URI != nil {
			err = errors.New("it has a uri: it is for what no rule matches")
		}
		if err != nil {
			return nil, fmt.Errorf("default: %w", err)
		}
		r.Default = rule
	}
	return r, nil
}

// ParseFlag adds a rule as a flag gives it to r: words with white space between, KEY=VALUE or KEY alone, of the keys of the file with
// - for _, and 4xx and 5xx for status_4xx and status_5xx: "uri=^/checkout min-duration=200ms 5xx request response". A rule without
// uri is the default.
func (r *Rules) ParseFlag(text string) error {
	var t ruleText
	for word := range strings.FieldsSeq(text) {
		key, value, given := strings.Cut(word, "=")
		var err error
		switch strings.ReplaceAll(key, "-", "_") {
		case "uri":
			t.URI = value
		case "min_duration":
			t.MinDuration = value
		case "max_request_bytes":
			t.MaxRequestBytes = value
		case "max_response_bytes":
			t.MaxResponseBytes = value
		case "4xx", "status_4xx":
			t.Status4xx, err = set(value, given)
		case "5xx", "status_5xx":
			t.Status5xx, err = set(value, given)
		case "request":
			t.Request, err = set(value, given)
		case "response":
			t.Response, err = set(value, given)
		default:
			return fmt.Errorf("%q is no key of a sampling rule: use uri, min-duration, 4xx, 5xx, request, response, max-request-bytes, max-response-bytes", key)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	rule, err := t.rule()
	if err != nil {
		return err
	}
	if rule.URI != nil {
		if len(r.List) == maxRules {
			return fmt.Errorf("more than %d rules", maxRules)
		}
		r.List = append(r.List, *rule)
		return nil
	}
	if r.Default != nil {
		return errors.New("there is a rule without uri already: only one can be for every other URI")
	}
	r.Default = rule
	return nil
}

func set(value string, given bool) (bool, error) {
	if !given {
		return true, nil
	}
	v, err := strconv.ParseBool(value)
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", value)
	}
	return v, nil
}

func (t *ruleText) rule() (*Rule, error) {
	r := &Rule{Status4xx: t.Status4xx, Status5xx: t.Status5xx, Request: Part{Keep: t.Request}, Response: Part{Keep: t.Response}}
	var err error
	if t.URI != "" {
		if r.URI, err = ParseURI(t.URI); err != nil {
			return nil, fmt.Errorf("uri: %w", err)
		}
	}
	if t.MinDuration != "" {
		d, err := time.ParseDuration(t.MinDuration)
		if n, bad := strconv.ParseInt(t.MinDuration, 10, 32); err != nil && bad == nil {
			d, err = time.Duration(n)*time.Millisecond, nil // as SkyWalking's rules have it
		}
		if err != nil || d < 0 {
			return nil, fmt.Errorf("min_duration: %q is no time: write 200ms, 1.5s", t.MinDuration)
		}
		r.MinDuration = &d
	}
	if t.Where != "" {
		if r.Where, err = filter.Compile(t.Where); err != nil {
			return nil, fmt.Errorf("where: %w", err)
		}
	}
	for _, limit := range [...]struct {
		key, text string
		part      *Part
	}{{"max_request_bytes", t.MaxRequestBytes, &r.Request}, {"max_response_bytes", t.MaxResponseBytes, &r.Response}} {
		if limit.text == "" {
			continue
		}
		n, err := filter.ParseSize(limit.text)
		if err != nil || n < 1 || n > MaxBytes {
			return nil, fmt.Errorf("%s: %q is no size from 1B to 1MiB: write 4096, 64KiB", limit.key, limit.text)
		}
		limit.part.Max = int(n)
	}
	return r, nil
}
