//go:build linux && (amd64 || arm64)

package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ebpf-reel/reel/analyze/mask"
	"github.com/ebpf-reel/reel/capture/trigger"
)

// maxTriggerFile bounds a file of rules: it is one that a person wrote.
const maxTriggerFile = 1 << 20

// triggerFlags are the flags that give trigger rules.
type triggerFlags struct {
	texts []string
	file  string
}

func (f *triggerFlags) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.texts, "trigger", nil, "when a `RULE` comes to hold, do what it says, as in 'cpu > 80% for 3 of 10s => snaplen full 10s' (may be repeated)")
	flags.StringVar(&f.file, "trigger-file", "", "read rules from `FILE`, one a line")
}

// rules parses the rules of the command line, and those of a file: one a line, # starts a comment.
func (f *triggerFlags) rules() ([]trigger.Rule, error) {
	var rules []trigger.Rule
	for i, text := range f.texts {
		where := "--trigger"
		if len(f.texts) > 1 {
			where = fmt.Sprintf("--trigger number %d", i+1)
		}
		rule, err := trigger.Parse(text)
		if err != nil {
			return nil, &usageError{where + ", " + err.Error()}
		}
		rules = append(rules, rule)
	}
	if f.file == "" {
		return rules, nil
	}
	data, err := os.ReadFile(f.file)
	if err != nil {
		return nil, withCode(exitInput, err)
	}
	if len(data) > maxTriggerFile {
		return nil, &usageError{fmt.Sprintf("%s is larger than 1 MiB, which no file of rules is", f.file)}
	}
	for i, line := range strings.Split(string(data), "\n") {
		if text := strings.TrimSpace(line); text == "" || text[0] == '#' {
			continue
		}
		rule, err := trigger.Parse(line)
		var syntax *trigger.SyntaxError
		if errors.As(err, &syntax) {
			return nil, &usageError{fmt.Sprintf("%s, line %d, %v", f.file, i+1, err)}
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// refuseSnaplenAction refuses to copy more for a reel that does not keep it.
func refuseSnaplenAction(rules []trigger.Rule, policy mask.Policy) error {
	for _, r := range rules {
		for _, a := range r.Actions {
			if a.Kind == trigger.Snaplen {
				return &usageError{fmt.Sprintf("--payload %s does not keep what the action %q of a trigger copies: leave one out", policy, a.String())}
			}
		}
	}
	return nil
}
