# PowerShell completion for dbtool; generated, do not edit: dbtool completions powershell

Register-ArgumentCompleter -Native -CommandName dbtool -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $commands = @{
        '' = @{
            Own = 'words query run tables describe search schema activity kill switch current profile pool-bench completions'
            Options = '-V --version -h --help'
            Values = @()
        }
        'query' = @{
            Own = 'anything'
            Options = '-f --file -v --param --encoding -1 --single-transaction --keep-going --local-infile --dry-run --write --confirm -p --profile --tag --all-profiles --config --wait --timeout --statement-timeout -F --format -o --output -n --limit --result --no-header --null --json-numbers --invalid-text --expect-rows --expect-value --expect-same --jobs --columns --unordered --canary --summary --stats -q --quiet --debug -h --help'
            Values = @('-f files', '--file files', '-v anything', '--param anything', '--encoding anything', '--local-infile files', '--confirm profiles', '-p profiles', '--profile profiles', '--tag anything', '--config files', '--wait anything', '--timeout anything', '--statement-timeout anything', '-F words table csv tsv json ndjson markdown vertical value', '--format words table csv tsv json ndjson markdown vertical value', '-o files', '--output files', '-n anything', '--limit anything', '--result words all last none', '--null anything', '--json-numbers words digits string', '--invalid-text words error replace escape', '--expect-rows anything', '--expect-value anything', '--jobs anything', '--columns words first union', '--summary files')
        }
        'run' = @{
            Own = 'queries'
            Options = '-v --param -1 --single-transaction --dry-run --write --confirm -p --profile --tag --all-profiles --config --wait --timeout --statement-timeout -F --format -o --output -n --limit --result --no-header --null --json-numbers --expect-rows --expect-value --expect-same --jobs --columns --unordered --canary --summary --stats -q --quiet --debug -h --help'
            Values = @('-v anything', '--param anything', '--confirm profiles', '-p profiles', '--profile profiles', '--tag anything', '--config files', '--wait anything', '--timeout anything', '--statement-timeout anything', '-F words table csv tsv json ndjson markdown vertical value', '--format words table csv tsv json ndjson markdown vertical value', '-o files', '--output files', '-n anything', '--limit anything', '--result words all last none', '--null anything', '--json-numbers words digits string', '--expect-rows anything', '--expect-value anything', '--jobs anything', '--columns words first union', '--summary files')
        }
        'tables' = @{
            Own = 'anything'
            Options = '--views --all -p --profile --tag --all-profiles --config --wait --timeout -F --format -o --output --no-header --null --jobs --unordered --summary -q --quiet --debug -h --help'
            Values = @('-p profiles', '--profile profiles', '--tag anything', '--config files', '--wait anything', '--timeout anything', '-F words table csv tsv json ndjson markdown vertical value', '--format words table csv tsv json ndjson markdown vertical value', '-o files', '--output files', '--null anything', '--jobs anything', '--summary files')
        }
        'describe' = @{
            Own = 'profiles'
            Options = '-p --profile --tag --all-profiles --config --wait --timeout -F --format -o --output --no-header --null --jobs --unordered --summary -q --quiet --debug -h --help'
            Values = @('-p profiles', '--profile profiles', '--tag anything', '--config files', '--wait anything', '--timeout anything', '-F words table csv tsv json ndjson markdown vertical value', '--format words table csv tsv json ndjson markdown vertical value', '-o files', '--output files', '--null anything', '--jobs anything', '--summary files')
        }
        'search' = @{
            Own = 'anything'
            Options = '-p --profile --tag --all-profiles --config --wait --timeout -F --format -o --output --no-header --null --jobs --unordered --summary -q --quiet --debug -h --help'
            Values = @('-p profiles', '--profile profiles', '--tag anything', '--config files', '--wait anything', '--timeout anything', '-F words table csv tsv json ndjson markdown vertical value', '--format words table csv tsv json ndjson markdown vertical value', '-o files', '--output files', '--null anything', '--jobs anything', '--summary files')
        }
        'schema' = @{
            Own = 'profiles'
            Options = '-F --format --comments --order --owners --partitions --expect-none -p --profile --tag --all-profiles --config --wait --timeout -o --output --jobs --unordered --summary -q --quiet --debug -h --help'
            Values = @('-F words sql json', '--format words sql json', '-p profiles', '--profile profiles', '--tag anything', '--config files', '--wait anything', '--timeout anything', '-o files', '--output files', '--jobs anything', '--summary files')
        }
        'activity' = @{
            Own = ''
            Options = '--blocked --older -p --profile --tag --all-profiles --config --wait --timeout -F --format -o --output --no-header --null --jobs --unordered --summary -q --quiet --debug -h --help'
            Values = @('--older anything', '-p profiles', '--profile profiles', '--tag anything', '--config files', '--wait anything', '--timeout anything', '-F words table csv tsv json ndjson markdown vertical value', '--format words table csv tsv json ndjson markdown vertical value', '-o files', '--output files', '--null anything', '--jobs anything', '--summary files')
        }
        'kill' = @{
            Own = 'anything'
            Options = '--connection -p --profile --confirm --config --wait --timeout -q --quiet --debug -h --help'
            Values = @('-p profiles', '--profile profiles', '--confirm profiles', '--config files', '--wait anything', '--timeout anything')
        }
        'switch' = @{
            Own = 'profiles'
            Options = '--for --shell --unset --confirm --config -F --format --debug -h --help'
            Values = @('--for anything', '--shell words bash zsh fish powershell', '--confirm profiles', '--config files', '-F words table csv tsv json ndjson markdown vertical value', '--format words table csv tsv json ndjson markdown vertical value')
        }
        'current' = @{
            Own = ''
            Options = '--explain --prompt -p --profile --config -F --format --debug -h --help'
            Values = @('--prompt words bash zsh plain', '-p profiles', '--profile profiles', '--config files', '-F words table csv tsv json ndjson markdown vertical value', '--format words table csv tsv json ndjson markdown vertical value')
        }
        'profile' = @{
            Own = 'words list show check path trust add set password edit copy rename remove import schema'
            Options = '-h --help'
            Values = @()
        }
        'profile list' = @{
            Own = ''
            Options = '--tag --columns --config -F --format --debug -h --help'
            Values = @('--tag anything', '--columns anything', '--config files', '-F words table csv tsv json ndjson markdown vertical value', '--format words table csv tsv json ndjson markdown vertical value')
        }
        'profile show' = @{
            Own = 'profiles'
            Options = '--config -F --format --debug -h --help'
            Values = @('--config files', '-F words table csv tsv json ndjson markdown vertical value', '--format words table csv tsv json ndjson markdown vertical value')
        }
        'profile check' = @{
            Own = 'profiles'
            Options = '--all --tag -p --profile --columns --wait --timeout --config -F --format --debug -h --help'
            Values = @('--tag anything', '-p profiles', '--profile profiles', '--columns anything', '--wait anything', '--timeout anything', '--config files', '-F words table csv tsv json ndjson markdown vertical value junit', '--format words table csv tsv json ndjson markdown vertical value junit')
        }
        'profile path' = @{
            Own = ''
            Options = '--config -F --format --debug -h --help'
            Values = @('--config files', '-F words table csv tsv json ndjson markdown vertical value', '--format words table csv tsv json ndjson markdown vertical value')
        }
        'profile trust' = @{
            Own = ''
            Options = '--yes --debug -h --help'
            Values = @()
        }
        'profile add' = @{
            Own = 'profiles'
            Options = '--url --engine --host --port --user --database --path --extends --tls --protected --read-only --color --tag --set --password-keyring --password-env --password-file --password-command --plain --no-check --file --project --config --debug -h --help'
            Values = @('--url anything', '--engine words sqlite postgresql mysql mariadb', '--host anything', '--port anything', '--user anything', '--database anything', '--path files', '--extends profiles', '--tls words disable prefer require verify-ca verify-full', '--color words black red green yellow blue magenta cyan white', '--tag anything', '--set anything', '--password-env anything', '--password-file files', '--password-command anything', '--file files', '--config files')
        }
        'profile set' = @{
            Own = 'profiles'
            Options = '--file --project --config --debug -h --help'
            Values = @('--file files', '--config files')
        }
        'profile password' = @{
            Own = 'profiles'
            Options = '--password-keyring --password-env --password-file --password-command --plain --file --project --config --debug -h --help'
            Values = @('--password-env anything', '--password-file files', '--password-command anything', '--file files', '--config files')
        }
        'profile edit' = @{
            Own = 'profiles'
            Options = '--file --project --config --debug -h --help'
            Values = @('--file files', '--config files')
        }
        'profile copy' = @{
            Own = 'profiles'
            Options = '--plain --file --project --config --debug -h --help'
            Values = @('--file files', '--config files')
        }
        'profile rename' = @{
            Own = 'profiles'
            Options = '--file --project --config --debug -h --help'
            Values = @('--file files', '--config files')
        }
        'profile remove' = @{
            Own = 'profiles'
            Options = '--yes --file --project --config --debug -h --help'
            Values = @('--file files', '--config files')
        }
        'profile import' = @{
            Own = 'words service pgpass mycnf dotenv harlequin usql'
            Options = '--from --only --name --replace --dry-run --password-keyring --plain --file --project --config -F --format --debug -h --help'
            Values = @('--from words service pgpass mycnf dotenv harlequin usql', '--only anything', '--name anything', '--file files', '--config files', '-F words table csv tsv json ndjson markdown vertical value', '--format words table csv tsv json ndjson markdown vertical value')
        }
        'profile schema' = @{
            Own = ''
            Options = '--debug -h --help'
            Values = @()
        }
        'pool-bench' = @{
            Own = 'words merge'
            Options = '--pool --compare --connections --isolation --autocommit --threads --processes --duration --warm-up --hold --think --rate --arrivals --query --script --writes --sweep --sweep-time --slo --chaos --json --html --baseline --fail-if --gates --ignore --write --confirm -p --profile --config --wait --timeout -F --format -q --quiet --debug -h --help'
            Values = @('--pool words dbtool peewee none connect sqlalchemy psycopg dbutils', '--compare anything', '--connections anything', '--isolation words transaction session', '--autocommit words on off', '--threads anything', '--processes anything', '--duration anything', '--warm-up anything', '--hold anything', '--think anything', '--rate anything', '--arrivals words poisson constant', '--query anything', '--script files', '--writes anything', '--sweep anything', '--sweep-time anything', '--slo anything', '--chaos words kill-idle kill-busy restart blackhole latency', '--json files', '--html files', '--baseline files', '--fail-if anything', '--gates words all', '--ignore anything', '--confirm profiles', '-p profiles', '--profile profiles', '--config files', '--wait anything', '--timeout anything', '-F words table csv tsv json ndjson markdown vertical value', '--format words table csv tsv json ndjson markdown vertical value')
        }
        'pool-bench merge' = @{
            Own = 'files'
            Options = '--json --html -F --format -q --quiet --debug -h --help'
            Values = @('--json files', '--html files', '-F words table csv tsv json ndjson markdown vertical value', '--format words table csv tsv json ndjson markdown vertical value')
        }
        'completions' = @{
            Own = 'words bash zsh fish powershell'
            Options = '--debug -h --help'
            Values = @()
        }
    }
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        Select-Object -Skip 1 | ForEach-Object { $_.Extent.Text })
    $path = ''
    foreach ($word in $words) {
        $longer = "$path $word".Trim()
        if ($commands.ContainsKey($longer)) { $path = $longer }
    }
    $command = $commands[$path]
    $previous = if ($words.Count) { $words[-1] } else { '' }
    $value = @($command.Values | Where-Object { $_.StartsWith("$previous ", [StringComparison]::Ordinal) })[0]
    $kind = if ($value) { $value.Substring($previous.Length + 1) }
        elseif ($wordToComplete.StartsWith('-')) { 'words ' + $command.Options }
        else { $command.Own }
    # Nothing returned leaves it to PowerShell, which completes files.
    $candidates = @(switch -Wildcard -CaseSensitive ($kind) {
        'profiles' { dbtool __complete profiles 2>$null }
        'queries' { dbtool __complete queries 2>$null }
        'words *' { $kind.Substring(6).Split(' ') }
    })
    $candidates | Where-Object { $_ -and $_.StartsWith($wordToComplete) } | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }
}
