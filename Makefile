# make lab     open the lessons in JupyterLab, as copies in my-lessons/    (ARGS="--no-browser --port 9000")
# make lesson LESSON=04  put a fresh copy of a lesson into my-lessons/; the old one stays beside it
# make test    prove that everything works
# make quick   the same without notebooks and browser, in about a minute (ARGS="-k losses" goes to pytest)
# make record  run notebooks and keep their outputs      (ARGS="notebooks/04_mlp_gan.ipynb")
# make lock    choose the newest versions anew
# make handout pack dist/gan-lessons-students.zip: everything a student needs, without solutions
# make colab-test  run each lesson from its own file alone, on Colab's versions    (LESSONS="00 04 09" for some)
# make clean   remove the environments and what tests left behind

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
COLAB := .venv-colab
LESSONS := $(sort $(wildcard notebooks/[0-9]*.ipynb))
SOLUTIONS := $(sort $(wildcard notebooks/solutions/[0-9]*.ipynb))

.PHONY: lab lesson test quick record lock handout colab-test clean
.DELETE_ON_ERROR:

lab: $(READY)
	$(BIN)/python tools/lab.py $(ARGS)

lesson: $(READY)
	$(BIN)/python tools/lab.py --fresh "$(LESSON)"

test: $(READY)
	$(BIN)/python -m pytest
	$(BIN)/python tools/nbval.py

quick: $(READY)
	$(BIN)/python -m pytest -m "not slow and not browser" $(ARGS)

record: $(READY)
	$(BIN)/python tools/record.py $(or $(ARGS),$(LESSONS) $(SOLUTIONS))

lock: $(READY)
	sh tools/uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --upgrade \
	    --generate-hashes --no-header --no-emit-index-url --quiet --output-file requirements.lock
	sh tools/uv pip compile tests/colab/requirements.txt --universal --python-version 3.11 --upgrade \
	    --generate-hashes --no-header --no-emit-index-url --quiet --output-file tests/colab/requirements.lock

handout: $(READY)
	$(BIN)/python tools/handout.py

# Colab itself has Python 3.13: make colab-test PYTHON=python3.13 where there is one.
colab-test: $(COLAB)/ready
	$(COLAB)/bin/python -m tools.colab_test $(LESSONS)

define VENV
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
    { echo "GAN Lessons needs Python 3.11 or newer; name yours: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
endef

# The environment is made anew whenever what it is made from has changed.
$(READY): requirements.lock pyproject.toml tools/uv tools/jupyterlab.json
	$(VENV)
	sh tools/uv pip install --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	sh tools/uv pip install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@mkdir -p .venv/share/jupyter/lab/settings
	@cp tools/jupyterlab.json .venv/share/jupyter/lab/settings/overrides.json
	@touch $@

# Its own environment, since Colab's versions are older; .venv is there for uv alone.
$(COLAB)/ready: tests/colab/requirements.lock tools/uv
	$(VENV)
	rm -rf $(COLAB)
	sh tools/uv venv --quiet --python $(PYTHON) $(COLAB)
	sh tools/uv pip install --python $(COLAB)/bin/python --compile-bytecode --require-hashes -r tests/colab/requirements.lock
	@touch $@

clean:
	rm -rf .venv $(COLAB) .pytest_cache .hypothesis test-artefacts dist build *.egg-info
