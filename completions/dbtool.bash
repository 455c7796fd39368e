# bash completion for dbtool; generated, do not edit: dbtool completions bash

_dbtool_names() {
    DBTOOL_CONFIG=${2:-${DBTOOL_CONFIG-}} dbtool __complete "$1" 2>/dev/null
}

_dbtool_is_command() {
    case "$1" in
        ' query') return 0 ;;
        ' run') return 0 ;;
        ' tables') return 0 ;;
        ' describe') return 0 ;;
        ' search') return 0 ;;
        ' schema') return 0 ;;
        ' activity') return 0 ;;
        ' kill') return 0 ;;
        ' switch') return 0 ;;
        ' current') return 0 ;;
        ' profile') return 0 ;;
        ' profile list') return 0 ;;
        ' profile show') return 0 ;;
        ' profile check') return 0 ;;
        ' profile path') return 0 ;;
        ' profile trust') return 0 ;;
        ' profile add') return 0 ;;
        ' profile set') return 0 ;;
        ' profile password') return 0 ;;
        ' profile edit') return 0 ;;
        ' profile copy') return 0 ;;
        ' profile rename') return 0 ;;
        ' profile remove') return 0 ;;
        ' profile import') return 0 ;;
        ' profile schema') return 0 ;;
        ' pool-bench') return 0 ;;
        ' pool-bench merge') return 0 ;;
        ' completions') return 0 ;;
        *) return 1 ;;
    esac
}

_dbtool_options() {
    case "$1" in
        '') echo '-V --version -h --help' ;;
        ' query') echo '-f --file -v --param --encoding -1 --single-transaction --keep-going --local-infile --dry-run --write --confirm -p --profile --tag --all-profiles --config --wait --timeout --statement-timeout -F --format -o --output -n --limit --result --no-header --null --json-numbers --invalid-text --expect-rows --expect-value --expect-same --jobs --columns --unordered --canary --summary --stats -q --quiet --debug -h --help' ;;
        ' run') echo '-v --param -1 --single-transaction --dry-run --write --confirm -p --profile --tag --all-profiles --config --wait --timeout --statement-timeout -F --format -o --output -n --limit --result --no-header --null --json-numbers --expect-rows --expect-value --expect-same --jobs --columns --unordered --canary --summary --stats -q --quiet --debug -h --help' ;;
        ' tables') echo '--views --all -p --profile --tag --all-profiles --config --wait --timeout -F --format -o --output --no-header --null --jobs --unordered --summary -q --quiet --debug -h --help' ;;
        ' describe') echo '-p --profile --tag --all-profiles --config --wait --timeout -F --format -o --output --no-header --null --jobs --unordered --summary -q --quiet --debug -h --help' ;;
        ' search') echo '-p --profile --tag --all-profiles --config --wait --timeout -F --format -o --output --no-header --null --jobs --unordered --summary -q --quiet --debug -h --help' ;;
        ' schema') echo '-F --format --comments --order --owners --partitions --expect-none -p --profile --tag --all-profiles --config --wait --timeout -o --output --jobs --unordered --summary -q --quiet --debug -h --help' ;;
        ' activity') echo '--blocked --older -p --profile --tag --all-profiles --config --wait --timeout -F --format -o --output --no-header --null --jobs --unordered --summary -q --quiet --debug -h --help' ;;
        ' kill') echo '--connection -p --profile --confirm --config --wait --timeout -q --quiet --debug -h --help' ;;
        ' switch') echo '--for --shell --unset --confirm --config -F --format --debug -h --help' ;;
        ' current') echo '--explain --prompt -p --profile --config -F --format --debug -h --help' ;;
        ' profile') echo '-h --help' ;;
        ' profile list') echo '--tag --columns --config -F --format --debug -h --help' ;;
        ' profile show') echo '--config -F --format --debug -h --help' ;;
        ' profile check') echo '--all --tag -p --profile --columns --wait --timeout --config -F --format --debug -h --help' ;;
        ' profile path') echo '--config -F --format --debug -h --help' ;;
        ' profile trust') echo '--yes --debug -h --help' ;;
        ' profile add') echo '--url --engine --host --port --user --database --path --extends --tls --protected --read-only --color --tag --set --password-keyring --password-env --password-file --password-command --plain --no-check --file --project --config --debug -h --help' ;;
        ' profile set') echo '--file --project --config --debug -h --help' ;;
        ' profile password') echo '--password-keyring --password-env --password-file --password-command --plain --file --project --config --debug -h --help' ;;
        ' profile edit') echo '--file --project --config --debug -h --help' ;;
        ' profile copy') echo '--plain --file --project --config --debug -h --help' ;;
        ' profile rename') echo '--file --project --config --debug -h --help' ;;
        ' profile remove') echo '--yes --file --project --config --debug -h --help' ;;
        ' profile import') echo '--from --only --name --replace --dry-run --password-keyring --plain --file --project --config -F --format --debug -h --help' ;;
        ' profile schema') echo '--debug -h --help' ;;
        ' pool-bench') echo '--pool --compare --connections --isolation --autocommit --threads --processes --duration --warm-up --hold --think --rate --arrivals --query --script --writes --sweep --sweep-time --slo --chaos --json --html --baseline --fail-if --gates --ignore --write --confirm -p --profile --config --wait --timeout -F --format -q --quiet --debug -h --help' ;;
        ' pool-bench merge') echo '--json --html -F --format -q --quiet --debug -h --help' ;;
        ' completions') echo '--debug -h --help' ;;
    esac
}

_dbtool_kind() {
    case "$1 $2" in
        ' ') echo 'words query run tables describe search schema activity kill switch current profile pool-bench completions' ;;
        ' query -f'|' query --file') echo 'files' ;;
        ' query -v'|' query --param') echo 'anything' ;;
        ' query --encoding') echo 'anything' ;;
        ' query --local-infile') echo 'files' ;;
        ' query --confirm') echo 'profiles' ;;
        ' query -p'|' query --profile') echo 'profiles' ;;
        ' query --tag') echo 'anything' ;;
        ' query --config') echo 'files' ;;
        ' query --wait') echo 'anything' ;;
        ' query --timeout') echo 'anything' ;;
        ' query --statement-timeout') echo 'anything' ;;
        ' query -F'|' query --format') echo 'words table csv tsv json ndjson markdown vertical value' ;;
        ' query -o'|' query --output') echo 'files' ;;
        ' query -n'|' query --limit') echo 'anything' ;;
        ' query --result') echo 'words all last none' ;;
        ' query --null') echo 'anything' ;;
        ' query --json-numbers') echo 'words digits string' ;;
        ' query --invalid-text') echo 'words error replace escape' ;;
        ' query --expect-rows') echo 'anything' ;;
        ' query --expect-value') echo 'anything' ;;
        ' query --jobs') echo 'anything' ;;
        ' query --columns') echo 'words first union' ;;
        ' query --summary') echo 'files' ;;
        ' query ') echo 'anything' ;;
        ' run -v'|' run --param') echo 'anything' ;;
        ' run --confirm') echo 'profiles' ;;
        ' run -p'|' run --profile') echo 'profiles' ;;
        ' run --tag') echo 'anything' ;;
        ' run --config') echo 'files' ;;
        ' run --wait') echo 'anything' ;;
        ' run --timeout') echo 'anything' ;;
        ' run --statement-timeout') echo 'anything' ;;
        ' run -F'|' run --format') echo 'words table csv tsv json ndjson markdown vertical value' ;;
        ' run -o'|' run --output') echo 'files' ;;
        ' run -n'|' run --limit') echo 'anything' ;;
        ' run --result') echo 'words all last none' ;;
        ' run --null') echo 'anything' ;;
        ' run --json-numbers') echo 'words digits string' ;;
        ' run --expect-rows') echo 'anything' ;;
        ' run --expect-value') echo 'anything' ;;
        ' run --jobs') echo 'anything' ;;
        ' run --columns') echo 'words first union' ;;
        ' run --summary') echo 'files' ;;
        ' run ') echo 'queries' ;;
        ' tables -p'|' tables --profile') echo 'profiles' ;;
        ' tables --tag') echo 'anything' ;;
        ' tables --config') echo 'files' ;;
        ' tables --wait') echo 'anything' ;;
        ' tables --timeout') echo 'anything' ;;
        ' tables -F'|' tables --format') echo 'words table csv tsv json ndjson markdown vertical value' ;;
        ' tables -o'|' tables --output') echo 'files' ;;
        ' tables --null') echo 'anything' ;;
        ' tables --jobs') echo 'anything' ;;
        ' tables --summary') echo 'files' ;;
        ' tables ') echo 'anything' ;;
        ' describe -p'|' describe --profile') echo 'profiles' ;;
        ' describe --tag') echo 'anything' ;;
        ' describe --config') echo 'files' ;;
        ' describe --wait') echo 'anything' ;;
        ' describe --timeout') echo 'anything' ;;
        ' describe -F'|' describe --format') echo 'words table csv tsv json ndjson markdown vertical value' ;;
        ' describe -o'|' describe --output') echo 'files' ;;
        ' describe --null') echo 'anything' ;;
        ' describe --jobs') echo 'anything' ;;
        ' describe --summary') echo 'files' ;;
        ' describe ') echo 'profiles' ;;
        ' search -p'|' search --profile') echo 'profiles' ;;
        ' search --tag') echo 'anything' ;;
        ' search --config') echo 'files' ;;
        ' search --wait') echo 'anything' ;;
        ' search --timeout') echo 'anything' ;;
        ' search -F'|' search --format') echo 'words table csv tsv json ndjson markdown vertical value' ;;
        ' search -o'|' search --output') echo 'files' ;;
        ' search --null') echo 'anything' ;;
        ' search --jobs') echo 'anything' ;;
        ' search --summary') echo 'files' ;;
        ' search ') echo 'anything' ;;
        ' schema -F'|' schema --format') echo 'words sql json' ;;
        ' schema -p'|' schema --profile') echo 'profiles' ;;
        ' schema --tag') echo 'anything' ;;
        ' schema --config') echo 'files' ;;
        ' schema --wait') echo 'anything' ;;
        ' schema --timeout') echo 'anything' ;;
        ' schema -o'|' schema --output') echo 'files' ;;
        ' schema --jobs') echo 'anything' ;;
        ' schema --summary') echo 'files' ;;
        ' schema ') echo 'profiles' ;;
        ' activity --older') echo 'anything' ;;
        ' activity -p'|' activity --profile') echo 'profiles' ;;
        ' activity --tag') echo 'anything' ;;
        ' activity --config') echo 'files' ;;
        ' activity --wait') echo 'anything' ;;
        ' activity --timeout') echo 'anything' ;;
        ' activity -F'|' activity --format') echo 'words table csv tsv json ndjson markdown vertical value' ;;
        ' activity -o'|' activity --output') echo 'files' ;;
        ' activity --null') echo 'anything' ;;
        ' activity --jobs') echo 'anything' ;;
        ' activity --summary') echo 'files' ;;
        ' kill -p'|' kill --profile') echo 'profiles' ;;
        ' kill --confirm') echo 'profiles' ;;
        ' kill --config') echo 'files' ;;
        ' kill --wait') echo 'anything' ;;
        ' kill --timeout') echo 'anything' ;;
        ' kill ') echo 'anything' ;;
        ' switch --for') echo 'anything' ;;
        ' switch --shell') echo 'words bash zsh fish powershell' ;;
        ' switch --confirm') echo 'profiles' ;;
        ' switch --config') echo 'files' ;;
        ' switch -F'|' switch --format') echo 'words table csv tsv json ndjson markdown vertical value' ;;
        ' switch ') echo 'profiles' ;;
        ' current --prompt') echo 'words bash zsh plain' ;;
        ' current -p'|' current --profile') echo 'profiles' ;;
        ' current --config') echo 'files' ;;
        ' current -F'|' current --format') echo 'words table csv tsv json ndjson markdown vertical value' ;;
        ' profile ') echo 'words list show check path trust add set password edit copy rename remove import schema' ;;
        ' profile list --tag') echo 'anything' ;;
        ' profile list --columns') echo 'anything' ;;
        ' profile list --config') echo 'files' ;;
        ' profile list -F'|' profile list --format') echo 'words table csv tsv json ndjson markdown vertical value' ;;
        ' profile show --config') echo 'files' ;;
        ' profile show -F'|' profile show --format') echo 'words table csv tsv json ndjson markdown vertical value' ;;
        ' profile show ') echo 'profiles' ;;
        ' profile check --tag') echo 'anything' ;;
        ' profile check -p'|' profile check --profile') echo 'profiles' ;;
        ' profile check --columns') echo 'anything' ;;
        ' profile check --wait') echo 'anything' ;;
        ' profile check --timeout') echo 'anything' ;;
        ' profile check --config') echo 'files' ;;
        ' profile check -F'|' profile check --format') echo 'words table csv tsv json ndjson markdown vertical value junit' ;;
        ' profile check ') echo 'profiles' ;;
        ' profile path --config') echo 'files' ;;
        ' profile path -F'|' profile path --format') echo 'words table csv tsv json ndjson markdown vertical value' ;;
        ' profile add --url') echo 'anything' ;;
        ' profile add --engine') echo 'words sqlite postgresql mysql mariadb' ;;
        ' profile add --host') echo 'anything' ;;
        ' profile add --port') echo 'anything' ;;
        ' profile add --user') echo 'anything' ;;
        ' profile add --database') echo 'anything' ;;
        ' profile add --path') echo 'files' ;;
        ' profile add --extends') echo 'profiles' ;;
        ' profile add --tls') echo 'words disable prefer require verify-ca verify-full' ;;
        ' profile add --color') echo 'words black red green yellow blue magenta cyan white' ;;
        ' profile add --tag') echo 'anything' ;;
        ' profile add --set') echo 'anything' ;;
        ' profile add --password-env') echo 'anything' ;;
        ' profile add --password-file') echo 'files' ;;
        ' profile add --password-command') echo 'anything' ;;
        ' profile add --file') echo 'files' ;;
        ' profile add --config') echo 'files' ;;
        ' profile add ') echo 'profiles' ;;
        ' profile set --file') echo 'files' ;;
        ' profile set --config') echo 'files' ;;
        ' profile set ') echo 'profiles' ;;
        ' profile password --password-env') echo 'anything' ;;
        ' profile password --password-file') echo 'files' ;;
        ' profile password --password-command') echo 'anything' ;;
        ' profile password --file') echo 'files' ;;
        ' profile password --config') echo 'files' ;;
        ' profile password ') echo 'profiles' ;;
        ' profile edit --file') echo 'files' ;;
        ' profile edit --config') echo 'files' ;;
        ' profile edit ') echo 'profiles' ;;
        ' profile copy --file') echo 'files' ;;
        ' profile copy --config') echo 'files' ;;
        ' profile copy ') echo 'profiles' ;;
        ' profile rename --file') echo 'files' ;;
        ' profile rename --config') echo 'files' ;;
        ' profile rename ') echo 'profiles' ;;
        ' profile remove --file') echo 'files' ;;
        ' profile remove --config') echo 'files' ;;
        ' profile remove ') echo 'profiles' ;;
        ' profile import --from') echo 'words service pgpass mycnf dotenv harlequin usql' ;;
        ' profile import --only') echo 'anything' ;;
        ' profile import --name') echo 'anything' ;;
        ' profile import --file') echo 'files' ;;
        ' profile import --config') echo 'files' ;;
        ' profile import -F'|' profile import --format') echo 'words table csv tsv json ndjson markdown vertical value' ;;
        ' profile import ') echo 'files service pgpass mycnf dotenv harlequin usql' ;;
        ' pool-bench --pool') echo 'words dbtool peewee none connect sqlalchemy psycopg dbutils' ;;
        ' pool-bench --compare') echo 'anything' ;;
        ' pool-bench --connections') echo 'anything' ;;
        ' pool-bench --isolation') echo 'words transaction session' ;;
        ' pool-bench --autocommit') echo 'words on off' ;;
        ' pool-bench --threads') echo 'anything' ;;
        ' pool-bench --processes') echo 'anything' ;;
        ' pool-bench --duration') echo 'anything' ;;
        ' pool-bench --warm-up') echo 'anything' ;;
        ' pool-bench --hold') echo 'anything' ;;
        ' pool-bench --think') echo 'anything' ;;
        ' pool-bench --rate') echo 'anything' ;;
        ' pool-bench --arrivals') echo 'words poisson constant' ;;
        ' pool-bench --query') echo 'anything' ;;
        ' pool-bench --script') echo 'files' ;;
        ' pool-bench --writes') echo 'anything' ;;
        ' pool-bench --sweep') echo 'anything' ;;
        ' pool-bench --sweep-time') echo 'anything' ;;
        ' pool-bench --slo') echo 'anything' ;;
        ' pool-bench --chaos') echo 'words kill-idle kill-busy restart blackhole latency' ;;
        ' pool-bench --json') echo 'files' ;;
        ' pool-bench --html') echo 'files' ;;
        ' pool-bench --baseline') echo 'files' ;;
        ' pool-bench --fail-if') echo 'anything' ;;
        ' pool-bench --gates') echo 'words all' ;;
        ' pool-bench --ignore') echo 'anything' ;;
        ' pool-bench --confirm') echo 'profiles' ;;
        ' pool-bench -p'|' pool-bench --profile') echo 'profiles' ;;
        ' pool-bench --config') echo 'files' ;;
        ' pool-bench --wait') echo 'anything' ;;
        ' pool-bench --timeout') echo 'anything' ;;
        ' pool-bench -F'|' pool-bench --format') echo 'words table csv tsv json ndjson markdown vertical value' ;;
        ' pool-bench ') echo 'words merge' ;;
        ' pool-bench merge --json') echo 'files' ;;
        ' pool-bench merge --html') echo 'files' ;;
        ' pool-bench merge -F'|' pool-bench merge --format') echo 'words table csv tsv json ndjson markdown vertical value' ;;
        ' pool-bench merge ') echo 'files' ;;
        ' completions ') echo 'words bash zsh fish powershell' ;;
    esac
}

_dbtool() {
    local current=${COMP_WORDS[COMP_CWORD]} previous='' command='' config='' word kind='' number
    COMPREPLY=()
    if ((COMP_CWORD > 0)); then previous=${COMP_WORDS[COMP_CWORD - 1]}; fi
    # bash cuts --option=value into three words.
    if [[ $current == '=' ]]; then
        current=''
    elif [[ $previous == '=' ]] && ((COMP_CWORD > 1)); then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((number = 1; number < COMP_CWORD; number++)); do
        word=${COMP_WORDS[number]}
        if [[ $word == --config ]]; then
            config=${COMP_WORDS[number + 1]}
            if [[ $config == '=' ]]; then config=${COMP_WORDS[number + 2]-}; fi
        elif [[ $word != -* ]] && _dbtool_is_command "$command $word"; then
            command="$command $word"
        fi
    done
    kind=$(_dbtool_kind "$command" "$previous")
    if [[ -z $kind && $current == -* ]]; then
        kind="words $(_dbtool_options "$command")"
    elif [[ -z $kind ]]; then
        kind=$(_dbtool_kind "$command" '')
    fi
    case $kind in
        files) return ;;
        # Where no word fits, it is a file.
        'files '*) COMPREPLY=($(compgen -W "${kind#files }" -- "$current")); return ;;
        profiles | queries) word=$(_dbtool_names "$kind" "$config") ;;
        'words '*) word=${kind#words } ;;
        *) word='' ;;
    esac
    # Without a name that fits, a profile may still be a file.
    if [[ $kind != profiles ]]; then compopt +o default 2>/dev/null; fi
    # Every word is made of letters, digits and dashes: nothing in it can be expanded.
    COMPREPLY=($(compgen -W "$word" -- "$current"))
}

complete -o default -F _dbtool dbtool
