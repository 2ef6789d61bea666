# What no template may ask for unless it is granted by name.
#
# input.template: the resolved template. input.signer: {"key_id", "algorithm"}, or null where signatures are not required.
# data.grants.tools: {tool: true} for tools that are granted in spite of the patterns below.
package factory.template

max_output_tokens := 65536

max_tools := 64

# Words that mark a tool as dangerous, as a part of its name between separators or capitals.
danger := {
	"shell": "runs commands",
	"bash": "runs commands",
	"sh": "runs commands",
	"cmd": "runs commands",
	"command": "runs commands",
	"powershell": "runs commands",
	"terminal": "runs commands",
	"exec": "runs programs",
	"execute": "runs programs",
	"spawn": "runs programs",
	"subprocess": "runs programs",
	"process": "runs programs",
	"popen": "runs programs",
	"system": "runs programs",
	"eval": "runs code",
	"interpreter": "runs code",
	"python": "runs code",
	"sudo": "raises privileges",
	"network": "reaches the network",
	"http": "reaches the network",
	"https": "reaches the network",
	"fetch": "reaches the network",
	"curl": "reaches the network",
	"wget": "reaches the network",
	"socket": "reaches the network",
	"tcp": "reaches the network",
	"udp": "reaches the network",
	"ssh": "reaches the network",
	"browser": "reaches the network",
	"download": "reaches the network",
	"upload": "reaches the network",
}

# Verbs that change files when a word for files stands beside them.
change := {"write", "create", "delete", "remove", "edit", "append", "move", "rename", "truncate", "chmod", "chown", "patch", "save"}

files := {"file", "files", "fs", "filesystem", "dir", "directory", "path", "disk"}

# Words written together, as in "writefile".
glued := `(shell|subprocess|filesystem[^a-z]*write|write[^a-z]*file|exec|eval)`

deny contains denial if {
	some tool in input.template.tools
	not granted(tool)
	some reason in reasons(tool)
	denial := {"rule": "dangerous_tool", "message": sprintf("the tool %s %s and is not granted", [tool, reason])}
}

deny contains denial if {
	input.template.model.max_output_tokens > max_output_tokens
	denial := {"rule": "output_tokens", "message": sprintf("model.max_output_tokens is above %d", [max_output_tokens])}
}

deny contains denial if {
	count(input.template.tools) > max_tools
	denial := {"rule": "tool_count", "message": sprintf("more than %d tools", [max_tools])}
}

granted(tool) if data.grants.tools[tool] == true

# "readFile" and "read_file" have the same words.
words(tool) := {lower(word) |
	spaced := regex.replace(tool, `([a-z0-9])([A-Z])`, "$1 $2")
	some word in regex.split(`[^A-Za-z0-9]+`, spaced)
	word != ""
}

reasons(tool) := union({by_word(tool), by_change(tool), by_glue(tool)})

by_word(tool) := {reason |
	some word in words(tool)
	reason := danger[word]
}

by_change(tool) := {"changes files" |
	found := words(tool)
	count(found & change) > 0
	count(found & files) > 0
}

by_glue(tool) := {"looks like one that runs programs or changes files" |
	count(by_word(tool)) == 0
	count(by_change(tool)) == 0
	regex.match(glued, lower(tool))
}
